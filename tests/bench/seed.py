# SPDX-License-Identifier: Apache-2.0
"""Rows of instances that are, as if each had been created; and what the rows say."""

import json
import time
import typing
import uuid

Line = typing.Any
"""A connection of PyMySQL's."""

INSTANCE = (
    "INSERT INTO instances (id, project, name, task, version_id, flavor_id, "
    "volume_size, region, addresses, server_id, volume_id, restart_required, "
    "was_active, ram, server_number, created, updated) VALUES "
    "(%s, %s, %s, 'NONE', %s, '2', 1, 'RegionOne', %s, %s, %s, 0, 1, 2048, %s, %s, %s)"
)
REPORT = (
    "INSERT INTO guest_reports (instance_id, boot, seq, received_at, changed_at, "
    "service, why, version, agent, disk_used, disk_total) VALUES "
    "(%s, 1, 1, %s, %s, 'healthy', '', '10.11', 'bench', 268435456, 1073741824)"
)


def fill(line: Line, project: str, number: int) -> str:
    """So many instances, healthy for a day; the id of one."""
    at = line.cursor()
    at.execute("SELECT id FROM datastore_versions LIMIT 1")
    (version,) = at.fetchone()
    ids = [str(uuid.uuid4()) for _ in range(number)]
    now = time.time()
    rows = [
        (
            *(id, project, f"db-{n}", version, _addresses(n), str(uuid.uuid4())),
            *(str(uuid.uuid4()), uuid.uuid4().int % (1 << 32), now - n, now - n),
        )
        for n, id in enumerate(ids)
    ]
    at.execute("START TRANSACTION")
    for first in range(0, number, 500):
        at.executemany(INSTANCE, rows[first : first + 500])
        reports = [(id, now + 86400, now) for id in ids[first : first + 500]]
        at.executemany(REPORT, reports)
    at.execute("COMMIT")
    at.execute("ANALYZE TABLE instances, guest_reports")
    return ids[0]


def _addresses(number: int) -> str:
    address = f"10.10.{number // 250 % 250}.{number % 250 + 2}"
    return json.dumps([{"address": address, "type": "private"}])


def ids(line: Line, project: str, number: int) -> list[str]:
    """Some instances of a project."""
    at = line.cursor()
    at.execute(
        "SELECT id FROM instances WHERE project = %s LIMIT %s", (project, number)
    )
    return [id for (id,) in at.fetchall()]


def statuses(line: Line, project: str) -> dict[str, str]:
    """What the API would show as ``status``, from the rows."""
    at = line.cursor()
    at.execute(
        "SELECT id, task, fault IS NOT NULL FROM instances "
        "WHERE project = %s AND deleted_at IS NULL",
        (project,),
    )
    words = {"NONE": "ACTIVE", "FAILED": "ERROR"}
    return {
        id: "ERROR" if fault and task == "BUILDING" else words.get(task, task)
        for id, task, fault in at.fetchall()
    }


def counters(line: Line) -> dict[str, int]:
    """The server's statements so far."""
    at = line.cursor()
    at.execute(
        "SHOW GLOBAL STATUS WHERE Variable_name IN "
        "('Com_select', 'Com_insert', 'Com_update', 'Com_commit', 'Com_rollback')"
    )
    return {name.removeprefix("Com_"): int(value) for name, value in at.fetchall()}

# SPDX-License-Identifier: Apache-2.0
"""trove-manage quota recount: counters beside what there is, and their repair."""

import json

import pytest
import sqlalchemy as sa
from cryptography import fernet

from trove.cmd import manage
from trove.db.session import Database
from trove.db.tables import Instance, Usage


@pytest.fixture
def shell(tmp_path, capsys):
    """``shell(*words)`` -> exit code, standard output."""
    keys = tmp_path / "seal-keys"
    keys.write_bytes(fernet.Fernet.generate_key() + b"\n")
    conf = tmp_path / "trove.conf"
    url = f"sqlite:///{tmp_path}/trove.sqlite"
    conf.write_text(f"[database]\nconnection = {url}\nseal_keys = {keys}\n")

    def run(*words: str):
        code = manage.main(["--config-file", str(conf), *words])
        return code, capsys.readouterr().out

    assert run("db", "sync")[0] == 0
    run.database = Database(url)
    yield run
    run.database.close()


@pytest.fixture
def wrong(shell):
    """demo's counter of memory is wrong, other's are right."""
    with shell.database.transaction() as tx:
        for project in ("demo", "other"):
            tx.add(
                Instance(
                    id=project,
                    project=project,
                    name="i",
                    task="NONE",
                    version_id="v",
                    flavor_id="1",
                    server_number=1,
                    was_active=True,
                    ram=1024,
                    volume_size=5,
                    created=1.0,
                    updated=1.0,
                )
            )
            for resource, used in (("instances", 1), ("ram", 1024), ("volumes", 5)):
                if (project, resource) == ("demo", "ram"):
                    used = 4096
                tx.add(Usage(project=project, resource=resource, used=used, reserved=0))
    return shell


def counters(database) -> dict[tuple[str, str], tuple[int, int]]:
    with database.reading() as tx:
        return {
            (row.project, row.resource): (row.used, row.reserved)
            for row in tx.scalars(sa.select(Usage))
        }


def test_a_wrong_counter_is_told_beside_what_there_is(wrong):
    """INV-5"""
    code, out = wrong("quota", "recount", "--json")
    rows = {(row["project"], row["resource"]): row for row in json.loads(out)}
    assert code == 3 and len(rows) == 6
    told = rows["demo", "ram"]
    assert (told["used"], told["used_counted"], told["state"]) == (4096, 1024, "wrong")
    assert [row["state"] for row in rows.values()].count("right") == 5
    assert counters(wrong.database)["demo", "ram"] == (4096, 0), "it only looks"


def test_a_project_that_is_right_is_right(wrong):
    code, out = wrong("quotas", "recount", "--project", "other")
    assert code == 0 and "demo" not in out and "wrong" not in out


def test_a_wrong_counter_is_repaired_and_no_other(wrong):
    """INV-5"""
    before = counters(wrong.database)
    code, out = wrong("quota", "recount", "--repair")
    assert code == 0 and out.count("repaired") == 1
    after = counters(wrong.database)
    assert after["demo", "ram"] == (1024, 0)
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {("demo", "ram")}
    assert wrong("quota", "recount")[0] == 0


def test_what_nobody_counts_any_more_becomes_nothing(shell):
    with shell.database.transaction() as tx:
        tx.add(Usage(project="gone", resource="instances", used=2, reserved=1))
    assert shell("quota", "recount", "--project", "gone")[0] == 3
    assert shell("quota", "recount", "--project", "gone", "--repair")[0] == 0
    assert counters(shell.database)["gone", "instances"] == (0, 0)

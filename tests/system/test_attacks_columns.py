# SPDX-License-Identifier: Apache-2.0
"""What a guest's messages may change.

It stands before the flood, whose connections the broker counts for minutes.
"""

import dataclasses

import pytest

from tests.system.deployment import until
from trove.rpc.messages import Report

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

REPORTED = {field.name for field in dataclasses.fields(Report)}


def test_a_guest_writes_the_columns_that_are_its_own(pair):
    """S14: each column of the control plane's tables, in every place of a message.

    The guest's own report takes the declared ones, and nothing else has changed: not
    its instance, not its jobs that ended, not a row of anybody else.
    """
    columns = {
        column[1]
        for table in ("instances", "guests", "guest_reports", "guest_jobs")
        + ("operations", "cloud_things", "quotas", "quota_usages")
        for column in pair.deployment.rows(f"PRAGMA table_info({table})")
    }
    jobs = [
        id
        for (id,) in pair.deployment.rows(
            "SELECT id FROM guest_jobs WHERE instance_id IN (?, ?)",
            pair.attacker,
            pair.victim,
        )
    ]
    assert jobs
    boot = pair.report(pair.attacker)[0]
    before = rows(pair)
    (told,) = pair.lines(
        "fuzz.py",
        {
            "them": pair.victim,
            "boot": boot,
            "seq": 10**8,
            "columns": sorted(columns - REPORTED),
            "jobs": jobs,
        },
    )
    assert told["sent"] > 50
    until("it was heard", lambda: pair.report(pair.attacker)[1] == 10**8)
    pair.heard_anew(pair.victim)
    assert rows(pair) == before
    pair.believed_again()


def rows(pair):
    """All that is known of the two, but for their reports, and who has one at all."""
    found = {}
    for table, key in (
        ("instances", "id"),
        ("guests", "instance_id"),
        ("guest_jobs", "instance_id"),
        ("operations", "object_id"),
        ("cloud_things", "owner"),
    ):
        found[table] = pair.deployment.rows(
            f"SELECT * FROM {table} WHERE {key} IN (?, ?) ORDER BY 1",
            pair.attacker,
            pair.victim,
        )
    found["usage"] = pair.deployment.rows("SELECT * FROM quota_usages ORDER BY 1, 2")
    found["known"] = pair.deployment.rows(
        "SELECT instance_id FROM guest_reports ORDER BY 1"
    )
    assert found["instances"]
    return found

# SPDX-License-Identifier: Apache-2.0
"""An increment that is a piece of a log that is gone: told, and a full one is next.

By a user's own requests, with a real engine whose administrator throws its log away.
"""

import typing

import pytest

from tests.system import builds
from tests.system.deployment import Deployment, User, until
from tests.system.test_backups import FOREVER, Source

pytestmark = [pytest.mark.root, pytest.mark.localcloud, pytest.mark.backup]

RESET = ("mysql", "--no-defaults", "--user=root", "-e", "RESET BINARY LOGS AND GTIDS")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "datastore" in metafunc.fixturenames:
        found = [
            each for each in builds.params(metafunc.config) if each.values[0] == "mysql"
        ]
        metafunc.parametrize(("datastore", "name"), found)


def test_a_log_that_is_gone_is_told_and_a_full_one_is_next(
    deployment: Deployment, demo: User, datastore: str, name: str
) -> None:
    source = Source(deployment, demo, datastore, name)
    source.fill()
    full = source.back_up()
    source.fill()
    deployment.inside(source.id, *RESET)
    lost = ended(source, source.order(incremental=1))
    assert (lost["status"], lost["parent_id"]) == ("FAILED", full["id"])
    assert f"{full['id']} has no increments any more" in str(lost["fault"])
    shown = demo.show(source.id)
    assert shown is not None
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    body = {"name": "nightly", "instance": source.id, "parent_id": full["id"]}
    answer = demo.ask("POST", "/backups", {"backup": body})
    assert answer.status_code == 422 and "must be full" in answer.text
    again = source.back_up(incremental=1)
    assert again["parent_id"] is None
    source.fill()
    more = source.back_up(incremental=1)
    assert more["parent_id"] == again["id"]
    expected = source.hash(source.id)
    copy = source.restored(more["id"])
    assert source.hash(copy) == expected
    source.gone(source.id, copy)


def ended(source: Source, id: str) -> dict[str, typing.Any]:
    """A backup that is over, however."""

    def over() -> dict[str, typing.Any] | None:
        shown = source.show(id)
        assert shown is not None
        return shown if shown["status"] in ("COMPLETED", "FAILED") else None

    found = until(f"{id} is over", over, FOREVER, every=1)
    return typing.cast(dict[str, typing.Any], found)

# SPDX-License-Identifier: Apache-2.0
"""The lines of the contract's checklist (section 22) that need real guests.

All twelve are in ``tests/api/test_conformance.py``, with the API in one process.
"""

import typing

import pytest

from tests.system.clients import demos
from tests.system.deployment import VERSIONS, User, ask, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

Any = typing.Any

USER = {"name": "ada", "password": "correct horse", "databases": [{"name": "shop"}]}
SHOW = {"mariadb": "SELECT @@global.wait_timeout", "postgresql": "SHOW work_mem"}
VALUES: dict[str, tuple[dict[str, int], str]] = {
    "mariadb": ({"wait_timeout": 611}, "611"),
    "postgresql": ({"work_mem": 811}, "811kB"),
}


@pytest.mark.parametrize("datastore", VERSIONS)
def test_22_2_from_create_to_active(demo: User, datastore: str) -> None:
    """Create, then GET until ACTIVE and HEALTHY, with ``ip``, ``addresses`` and
    ``volume.used``; on the way no word but BUILD, as Terraform wants it."""
    id = demo.create(datastore, f"conforms-{datastore}", [USER])
    seen: list[tuple[str, str]] = []

    def over() -> Any:
        shown = demo.show(id)
        assert shown is not None
        seen.append((shown["status"], shown["operating_status"]))
        return shown if seen[-1] == ("ACTIVE", "HEALTHY") else None

    shown = until("it is ACTIVE and HEALTHY", over)
    assert {status for status, _ in seen} == {"BUILD", "ACTIVE"}
    assert seen[0] == ("BUILD", "")
    assert shown["ip"] == [each["address"] for each in shown["addresses"]]
    assert {each["type"] for each in shown["addresses"]} == {"private"}
    assert isinstance(shown["volume"]["used"], float) and shown["volume"]["used"] > 0
    assert "fault" not in shown and "configuration" not in shown
    demo.delete(id)
    words = set()

    def gone() -> bool:
        left = demo.show(id)
        words.add(left["status"] if left else "404")
        return left is None

    until("it is gone", gone)
    assert words <= {"SHUTDOWN", "404"}


@pytest.mark.parametrize("datastore", VERSIONS)
def test_22_4_changes_and_what_they_do(demo: User, datastore: str) -> None:
    """``{"instance": {}}`` takes the group away; a group that is changed answers 200
    and its values are in force; ``replica_of`` null and another version are read."""
    id = demos(demo)[datastore]
    path, (values, shown) = f"/instances/{id}", VALUES[datastore]
    before = _value(demo, id, datastore)
    about = {"type": datastore, "version": VERSIONS[datastore]}
    body: Any = {"configuration": {"name": "c", "values": {}, "datastore": about}}
    group = demo.ask("POST", "/configurations", body).json()["configuration"]["id"]
    attach = {"instance": {"configuration": group}}
    assert demo.ask("PUT", path, attach).status_code == 202
    body = {"configuration": {"values": values}}
    answer = demo.ask("PATCH", f"/configurations/{group}", body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert _value(demo, id, datastore) == shown, "in force when the answer came"
    assert demo.ask("PUT", path, {"instance": {}}).status_code == 202
    assert _value(demo, id, datastore) == before
    answer = demo.ask("PUT", path, {"instance": {"replica_of": None}})
    assert answer.status_code == 400 and "not a replica" in answer.text
    answer = demo.ask("PATCH", path, {"instance": {"datastore_version": "nothing"}})
    assert answer.status_code in (400, 404)
    assert demo.ask("DELETE", f"/configurations/{group}").status_code == 202
    demo.wait(id)


def _value(demo: User, id: str, datastore: str) -> str:
    """What the engine says; root asks, for the instance's user is somebody else's."""
    root = demo.ask("POST", f"/instances/{id}/root").json()["user"]
    shown = demo.show(id)
    assert shown is not None
    with demo.connect(shown, root["name"], root["password"], "shop") as line:
        found = str(ask(line, SHOW[datastore])[0][0])
    assert demo.ask("DELETE", f"/instances/{id}/root").status_code == 204
    return found

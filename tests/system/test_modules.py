# SPDX-License-Identifier: Apache-2.0
"""Modules on real databases: ordered, given, changed everywhere, refused, removed."""

import base64
import typing

import pytest

from tests.system.deployment import VERSIONS, Deployment, User, until

pytestmark = [pytest.mark.root, pytest.mark.localcloud]

Plain = dict[str, typing.Any]
FIRST, SECOND = "Hello from the first day", "Hello from the second day"
NOTHING = base64.b64encode(b"nothing").decode()
SECRET = "unlikely-words-9a7c1"


def text(message: str) -> str:
    """Contents for ping, as a client writes them."""
    return base64.b64encode(
        f"message = {message}\npassword = {SECRET}\n".encode()
    ).decode()


def made(user: User, name: str, **about: typing.Any) -> str:
    body = {"name": name, "module_type": "ping", "contents": text(FIRST), **about}
    answer = user.ask("POST", "/modules", {"module": body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["module"]["id"])


def on(user: User, id: str, query: str = "") -> dict[str, Plain]:
    answer = user.ask("GET", f"/instances/{id}/modules{query}")
    assert answer.status_code == 200, answer.text
    return {each["id"]: each for each in answer.json()["modules"]}


def ordered(demo: User, datastore: str, module: str) -> str:
    body = {
        "name": f"modular-{datastore}",
        "flavorRef": 1,
        "volume": {"size": 1},
        "datastore": {"type": datastore, "version": VERSIONS[datastore]},
        "modules": [{"id": module}],
    }
    answer = demo.ask("POST", "/instances", {"instance": body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["instance"]["id"])


@pytest.mark.parametrize("datastore", VERSIONS)
def test_a_module_from_the_order_to_its_end(
    deployment: Deployment, demo: User, admin: User, datastore: str
) -> None:
    module = made(demo, f"hello-{datastore}", live_update=1)
    only = {"type": datastore}
    given = made(admin, f"all-{datastore}", all_tenants=1, auto_apply=1, datastore=only)
    id = ordered(demo, datastore, module)
    demo.wait(id)
    for query in ("", "?from_guest=True"):
        shown = on(demo, id, query)
        assert {each["status"] for each in shown.values()} == {"OK"}, shown
        assert {each["message"] for each in shown.values()} == {FIRST}
        assert set(shown) == {module, given}
    assert on(demo, id, "?include_contents=True")[module]["contents"] == text(FIRST)
    assert on(demo, id, "?include_contents=True")[given]["contents"] is None
    kept = "/var/lib/trove-guest"
    assert deployment.inside(id, "grep", "-r", FIRST, kept), "it looks where it is"
    found = deployment.inside(id, "/usr/bin/find", kept, "-type", "f").split()
    for path in found:
        content = deployment.inside(id, "/bin/cat", path)
        assert SECRET not in content, f"the contents are in {path}"

    changed = {"module": {"contents": text(SECOND)}}
    answer = demo.ask("PUT", f"/modules/{module}", changed)
    assert answer.status_code == 200, answer.text
    counts = demo.ask("GET", f"/modules/{module}/instances?count_only=True").json()
    assert [each["current"] for each in counts["instances"]] == [False]
    asked = {"reapply": {"batch_size": 1, "batch_delay": 0}}
    answer = demo.ask("PUT", f"/modules/{module}/instances", asked)
    assert answer.status_code == 202, answer.text
    until(
        "the module has its new contents",
        lambda: on(demo, id)[module]["message"] == SECOND,
    )
    assert on(demo, id, "?from_guest=True")[module]["message"] == SECOND
    demo.wait(id)
    path = f"/operations?instance_id={module}"
    until(
        "the module is applied again everywhere",
        lambda: (
            [each["state"] for each in demo.ask("GET", path).json()["operations"]]
            == ["done"]
        ),
    )

    strange = made(
        demo, f"strange-{datastore}", contents=base64.b64encode(b"nothing").decode()
    )
    body = {"modules": [{"id": strange}]}
    answer = demo.ask("POST", f"/instances/{id}/modules", body)
    assert answer.status_code == 200, answer.text
    (refused,) = answer.json()["modules"]
    assert refused["status"] == "ERROR"
    assert "message" in refused["message"]
    demo.wait(id)

    for gone in (strange, module):
        assert demo.ask("DELETE", f"/modules/{gone}").status_code == 403
        answer = demo.ask("DELETE", f"/instances/{id}/modules/{gone}")
        assert answer.status_code == 200, answer.text
        assert demo.ask("DELETE", f"/modules/{gone}").status_code == 200
    assert set(on(demo, id)) == {given}
    assert demo.ask("DELETE", f"/instances/{id}/modules/{given}").status_code == 403
    demo.delete(id)
    demo.gone(id)
    assert admin.ask("DELETE", f"/modules/{given}").status_code == 200


def test_without_a_module_that_was_ordered_there_is_no_instance(demo: User) -> None:
    """A visible error, and nothing left but the row that says why."""
    strange = made(demo, "strange", contents=NOTHING)
    id = ordered(demo, "mariadb", strange)

    def failed() -> Plain | None:
        shown = demo.show(id)
        assert shown is not None and shown["status"] != "ACTIVE", shown
        return shown if shown["status"] == "ERROR" else None

    shown = typing.cast(Plain, until("the create has failed", failed))
    assert "The module strange could not be applied" in shown["fault"]["message"]
    demo.delete(id)
    demo.gone(id)
    assert demo.ask("DELETE", f"/modules/{strange}").status_code == 200

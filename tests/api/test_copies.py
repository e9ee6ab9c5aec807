# SPDX-License-Identifier: Apache-2.0
"""What an upgrade left on a volume: told, and discarded when its owner says so."""

from tests.api.world import COPY, World
from trove.db.tables import Operation
from trove.rpc.messages import CopyShown


def test_it_is_told_with_its_size(world: World) -> None:
    id = world.furnished()
    world.desks.copies[id].append(CopyShown("a-failed", None, 0.0))
    answer = world.ask("GET", f"instances/{id}/copies")
    assert answer.json == {
        "copies": [
            {"name": "a-failed", "created": "1970-01-01T00:00:00"},
            {"name": COPY, "created": "2027-01-15T08:00:00", "size": 4096},
        ]
    }
    other = world.active()
    assert world.ask("GET", f"instances/{other}/copies").json == {"copies": []}


def test_it_goes_by_an_operation(world: World) -> None:
    id = world.furnished()
    path = f"instances/{id}/copies"
    said = world.ask("DELETE", f"{path}/{COPY}?dry_run=1").json["dry_run"]
    assert said["operations"] == [
        {"type": "instance.discard", "outage": "none", "instance_id": id}
    ]
    for name in ("none", "..", "%2e%2e", "a%2Fb", COPY[:-1]):
        assert world.ask("DELETE", f"{path}/{name}").status_int == 404
    assert world.ask("DELETE", f"{path}/{COPY}").status_int == 202
    operation: Operation = world.operations(id)[-1]
    assert (operation.kind, operation.input) == ("instance.discard", {"copy": COPY})
    busy = world.ask("DELETE", f"{path}/{COPY}")
    assert busy.status_int == 422


def test_a_guest_that_does_not_answer_is_not_guessed_about(world: World) -> None:
    id = world.furnished()
    world.desks.silent.add(id)
    assert world.ask("GET", f"instances/{id}/copies").status_int == 503
    assert world.ask("DELETE", f"instances/{id}/copies/{COPY}").status_int == 503
    world.finish(id, "stopped")
    assert world.ask("GET", f"instances/{id}/copies").status_int == 422

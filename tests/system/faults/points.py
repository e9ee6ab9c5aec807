# SPDX-License-Identifier: Apache-2.0
"""What users ask for, flow by flow, and every point of it that a taskmanager passes."""

import pathlib
import typing

OTHERS = ("conductor", "api")


def create(user: typing.Any, id: str) -> str:
    made: str = user.create("db")
    return made


def restart(user: typing.Any, id: str) -> str:
    answer = user.ask("POST", f"instances/{id}/action", {"restart": {}})
    assert answer.status == 202, answer.body
    return id


def delete(user: typing.Any, id: str) -> str:
    assert user.ask("DELETE", f"instances/{id}").status == 202
    return id


FLOWS = {"create": create, "restart": restart, "delete": delete}
"""What is done to an instance (to create, an empty id), by flow: its id."""


def passed(lab: typing.Any, user: typing.Any) -> typing.Iterator[tuple[str, str, str]]:
    """Every point of an undisturbed life: its flow, the point, an instance for it."""
    seen = pathlib.Path(f"{lab.crash}.seen")
    points, id = {}, ""
    for flow, deed in FLOWS.items():
        seen.touch()
        id = deed(user, id)
        user.delete(id) if flow == "delete" else user.ready(id)
        points[flow] = [*dict.fromkeys(seen.read_text().split("\n"))][:-1]
        seen.unlink()
    for flow, there in points.items():
        for point in there:
            if point.partition(":")[2].startswith(OTHERS):
                continue
            print(flow, point, flush=True)
            before = "" if flow == "create" else user.create("db")
            if before:
                user.ready(before)
            yield flow, point, before

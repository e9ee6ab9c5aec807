# SPDX-License-Identifier: Apache-2.0
"""Paths find their route, whatever the shape of the API to come."""

import pytest

from trove import errors
from trove.api import faults
from trove.api.resource import Op, Resource
from trove.api.table import Table

PATHS = """
GET instances
POST instances
GET instances/detail
GET instances/{id}
DELETE instances/{id}
POST instances/{id}/action
DELETE instances/{id}/databases/{name}
DELETE instances/{id}/users/{user}/databases/{db}
GET datastores
GET datastores/{ds}
GET datastores/{ds}/versions
GET datastores/{ds}/versions/{v}
GET datastores/{ds}/versions/{v}/parameters/{name}
GET datastores/versions/{uuid}
GET datastores/versions/{uuid}/parameters
GET datastores/versions/{uuid}/parameters/{name}
POST mgmt/instances/{id}/action
GET mgmt/datastores/versions/{v}/parameters/{name}
"""


def table() -> Table:
    ops = []
    for line in PATHS.split("\n")[1:-1]:
        method, path = line.split()
        ops.append(Op(method, path, None, rule="x"))
    return Table([Resource("thing", "things", tuple(ops), path="")])


@pytest.mark.parametrize("line", PATHS.split("\n")[1:-1])
def test_every_path_is_found(line: str) -> None:
    method, path = line.split()
    given = [part.strip("{}") for part in path.split("/")]
    route, ids = table().find(method, ["t", *given])
    assert (route.op.method, route.path) == (method, path)
    wanted = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
    assert set(ids) == wanted | {"tenant"}
    assert all(ids[name] == name for name in wanted)


def test_a_literal_wins_but_does_not_hide() -> None:
    route, _ = table().find("GET", ["t", "instances", "detail"])
    assert route.path == "instances/detail"
    route, ids = table().find("DELETE", ["t", "instances", "detail"])
    assert (route.path, ids["id"]) == ("instances/{id}", "detail")
    route, ids = table().find("GET", ["t", "datastores", "versions", "versions"])
    assert route.path in ("datastores/versions/{uuid}", "datastores/{ds}/versions")


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(faults.MethodNotAllowed) as told:
        table().find("PATCH", ["t", "instances", "7"])
    assert told.value.facts["allow"] == "DELETE, GET, HEAD"


def test_head_is_get() -> None:
    route, _ = table().find("HEAD", ["t", "instances"])
    assert route.op.method == "GET"


@pytest.mark.parametrize(
    "path", ["", "nothing", "instances//action", "instances/7/8/9"]
)
def test_no_such_path(path: str) -> None:
    with pytest.raises(errors.NotFound):
        table().find("GET", ["t", *path.split("/")])


def test_nothing_is_declared_twice() -> None:
    ops = (Op("GET", "{a}", None, rule="x"), Op("GET", "{b}", None, rule="y"))
    with pytest.raises(ValueError, match="twice"):
        Table([Resource("thing", "things", ops)])

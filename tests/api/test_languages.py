# SPDX-License-Identifier: Apache-2.0
"""What is said in JSON is said in XML: every declared route and action, by itself.

Nothing here knows a route: whatever is declared is asked in both languages, with the
bodies of the policy's matrix.
"""

import collections
import pathlib
import typing

import defusedxml.ElementTree
import pytest

from tests.api.test_attacks_projects import _fill, _made, _owned
from tests.api.test_policy_matrix import BODIES
from tests.api.world import World
from tests.covered.units import UNITS, Unit
from trove.api.resource import ADMIN
from trove.service.certificates import Authority

Any = typing.Any

REFUSED_HERE = {
    # no key manager is in its catalogue: test_ssl.py has one
    "POST instances/{id}/ssl": 501,
    # nor an object store: test_dumps.py has one
    "POST instances/{id}/action export": 501,
    "POST instances/{id}/action import": 501,
    # it has versions
    "DELETE datastores/{id}": 400,
    # there is such a rule, and no such image
    "POST mgmt/datastores/versions/{version}/parameters": 400,
    "POST mgmt/instances/{id}/action rebuild": 400,
}


def _body(unit: Unit) -> Any:
    if unit.action is None:
        return BODIES.get(unit.route.op.rule)
    body = BODIES.get(unit.action.rule)
    if body is not None and unit.key in body:
        return body
    return {unit.key: ACTIONS.get(unit.key, {})}


NOBODY = "00000000-0000-4000-8000-000000000000"
ACTIONS: dict[str, Any] = {
    "configuration_attach": {"configuration_id": NOBODY},
    "grow": [{"flavorRef": "1"}],
    "shrink": [{"id": NOBODY}],
    "upgrade": {"datastore_version": "11"},
}


def _path(world: World, unit: Unit, tmp_path: pathlib.Path) -> str:
    route, ids = unit.route, {}
    if _owned(route):
        ids["id"] = _made(world, route, "member")
    elif route.resource.name == "version":
        ids["id"] = world.versions["mariadb-10.6"]
    elif route.path.startswith("datastores/{id}"):
        ids["id"] = "mariadb"
    if route.resource.name == "ssl":
        authority = Authority.create(tmp_path / "ca")
        text, _ = authority.server_certificate(["db.example.org"], ["10.1.0.7"])
        world.desks.certificates[ids["id"]] = text
    return _fill(world, route, ids)


def _asked(world: World, unit: Unit, path: str, xml: bool) -> Any:
    who = unit.action.who if unit.action else unit.route.op.who
    caller = "admin" if who == ADMIN else "member"
    body = _body(unit)
    if unit.name == "POST backups":
        body = {"backup": {**body["backup"], "instance": world.active()}}
    return world.ask(unit.route.op.method, path, body, caller=caller, xml=xml)


def _leaves(value: Any) -> collections.Counter[str]:
    """The texts in it, however they are nested; what is empty or unknown is absent."""
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()), collections.Counter())
    if isinstance(value, list):
        return sum(map(_leaves, value), collections.Counter())
    return collections.Counter([] if value in (None, "") else [str(value)])


def _texts(element: Any) -> collections.Counter[str]:
    found = collections.Counter(value for value in element.attrib.values() if value)
    if not len(element) and (element.text or "").strip():
        found[element.text] += 1
    return sum((_texts(child) for child in element), found)


@pytest.mark.parametrize("name", UNITS)
def test_it_is_the_same_in_xml(tmp_path: pathlib.Path, name: str) -> None:
    """The same status; and of what only looks, the same values."""
    unit = UNITS[name]
    answers = {}
    for xml in (False, True):
        place = tmp_path / ("xml" if xml else "json")
        place.mkdir()
        world = World(place, quotas={})
        path = _path(world, unit, place)
        answer = answers[xml] = _asked(world, unit, path, xml)
        expected = {unit.status, unit.route.op.status, REFUSED_HERE.get(name)}
        assert answer.status_int in expected, (path, answer.text)
        if answer.body:
            kind = "application/xml" if xml else "application/json"
            assert answer.content_type == kind
        if xml and unit.route.op.method == "GET" and answer.status_int == 200:
            said = _asked(world, unit, path, False).json
            root = defusedxml.ElementTree.fromstring(answer.body)
            assert _texts(root) == _leaves(said)
        world.close()
    assert answers[True].status_int == answers[False].status_int
    assert bool(answers[True].body) == bool(answers[False].body)

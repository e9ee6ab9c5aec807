# SPDX-License-Identifier: Apache-2.0
"""Any names, hosts, passwords and markers: an answer of ours, and never a 5xx (T28)."""

import json
import pathlib
import typing
import urllib.parse

import hypothesis
import pytest
from hypothesis import strategies as some

from tests.api.world import World, from_xml, to_xml
from trove.api.resources import TABLE

TEXT = some.text(some.characters(exclude_categories=["Cs"]), max_size=20)
NAME = TEXT | some.sampled_from(
    ["shop", "ann", "ann@%", "root", "a@10.0.%", "%25", ".."]
)
ITEM = some.fixed_dictionaries(
    {},
    optional={
        "name": NAME,
        "password": NAME | some.none(),
        "host": NAME | some.sampled_from(["%", "10.0.0.1"]) | some.none(),
        "databases": some.lists(some.fixed_dictionaries({"name": NAME}), max_size=2),
        "character_set": NAME | some.none(),
        "collate": NAME | some.none(),
    },
)
BODY = some.none() | some.one_of(
    *(
        some.fixed_dictionaries({root: what})
        for root in ("databases", "users", "database", "user")
        for what in (ITEM, some.lists(ITEM, max_size=2))
    ),
    ITEM,
)
ROUTES = [r for r in TABLE.routes if r.path.startswith("instances/{id}/")]


@pytest.fixture(scope="module", params=["mariadb", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[tuple[World, str]]:
    home: pathlib.Path = tmp_path_factory.mktemp("accounts")
    world = World(home)
    yield world, world.furnished(datastore={"type": request.param})
    world.close()


def _sent(body: typing.Any, xml: bool) -> bytes | None:
    if body is None:
        return None
    if not xml:
        return json.dumps(body).encode()
    try:
        return to_xml(body if len(body) == 1 else {"root": body})
    except (ValueError, TypeError):
        return b"<users/>"


@hypothesis.given(
    route=some.sampled_from(ROUTES),
    name=NAME.filter(bool),
    user=NAME.filter(bool),
    marker=NAME,
    quoted=some.booleans(),
    body=BODY,
    xml=some.booleans(),
)
def test_every_request_is_answered(
    place: tuple[World, str],
    route: typing.Any,
    name: str,
    user: str,
    marker: str,
    quoted: bool,
    body: typing.Any,
    xml: bool,
) -> None:
    world, id = place
    path = route.path.format(
        id=id,
        name=urllib.parse.quote(name, safe=""),
        user=urllib.parse.quote(user, safe=""),
        module=urllib.parse.quote(name, safe=""),
        copy=urllib.parse.quote(name, safe=""),
    )
    query = {"limit": "2", "marker": marker} | (
        {"marker_quoted": "1"} if quoted else {}
    )
    answer = world.ask(
        route.op.method,
        f"{path}?{urllib.parse.urlencode(query)}",
        data=_sent(body, xml),
        content_type=f"application/{'xml' if xml else 'json'}",
        xml=xml,
    )
    what = (route.shown, path, body, answer.status, answer.text)
    assert answer.status_int < 500 or answer.status_int == 501, what
    if answer.body:
        whole = from_xml(answer.body) if xml else answer.json
        if answer.status_int >= 400:
            assert set(whole) == {next(iter(whole))}, what
    accounts = world.desks.accounts[id]
    assert "root" not in {who for who, _ in accounts.rows}

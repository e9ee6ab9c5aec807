# SPDX-License-Identifier: Apache-2.0
"""JSON and XML say the same, and only what can be stored comes in."""

import typing

import pytest

from trove import errors
from trove.api import faults, wire
from trove.api.resources.creation import CREATE
from trove.api.resources.quotas import LIMITS
from trove.api.schemas import wrapped

SCHEMA = wrapped("instance", CREATE)


def read(text: str, schema: typing.Any = SCHEMA, kind: str = wire.XML) -> typing.Any:
    return wire.read(text.encode(), kind, schema)


def test_the_historic_create_is_read() -> None:
    body = read(
        '<instance xmlns="http://docs.openstack.org/database/api/v1.0" name=" db1 "'
        ' flavorRef="https://h/v1.0/1234/flavors/1"><volume size="2"/><databases>'
        '<database name="d1" character_set="utf8"/></databases><users>'
        '<user name="u" password="p"><databases><database name="d1"/></databases>'
        "</user></users></instance>"
    )
    assert body == {
        "instance": {
            "name": "db1",
            "flavorRef": "https://h/v1.0/1234/flavors/1",
            "volume": {"size": "2"},
            "databases": [{"name": "d1", "character_set": "utf8"}],
            "users": [{"name": "u", "password": "p", "databases": [{"name": "d1"}]}],
        }
    }


def test_an_attribute_and_an_element_mean_the_same() -> None:
    one = read('<instance name="a" replica_count="2"/>')
    two = read("<instance><name>a</name><replica_count> 2 </replica_count></instance>")
    assert one == two == {"instance": {"name": "a", "replica_count": 2}}


@pytest.mark.parametrize(
    "text, value", [("True", True), ("true", True), ("False", False), ("false", False)]
)
def test_booleans(text: str, value: bool) -> None:
    body = read(f'<instance><access is_public="{text}"/></instance>')
    assert body["instance"]["access"] == {"is_public": value}


def test_what_is_not_of_its_type_stays_a_text_for_the_schema_to_refuse() -> None:
    body = read('<instance replica_count="many"><access is_public="2"/></instance>')
    assert body["instance"] == {"replica_count": "many", "access": {"is_public": "2"}}


def test_names_nobody_declared_take_the_fallbacks_type() -> None:
    schema = wrapped("quotas", LIMITS)
    assert read('<quotas instances="5" ram="-1"/>', schema) == {
        "quotas": {"instances": 5, "ram": -1}
    }


def test_null_can_be_said() -> None:
    body = read(
        '<instance xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        '<configuration xsi:nil="true"/></instance>'
    )
    assert body == {"instance": {"configuration": None}}


def test_flags_are_numbers_or_booleans() -> None:
    assert wire.scalar("1", {"enum": [0, 1, True, False]}) == 1
    assert wire.scalar("true", {"enum": [0, 1, True, False]}) is True


def test_a_bare_body_has_a_root_in_xml() -> None:
    schema = {"type": "object", "properties": {"active": {"type": "boolean"}}}
    body = wire.read(b'<version active="true"/>', wire.XML, schema, bare=True)
    assert body == {"active": True}


def test_json_by_default() -> None:
    assert wire.read(b'{"a": 1}', None, {}) == {"a": 1}
    assert wire.read(b'{"a": 1}', "application/json; charset=UTF-8", {}) == {"a": 1}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-yaml", "nonsense"])
def test_other_kinds_are_not_read(kind: str) -> None:
    with pytest.raises(faults.UnsupportedMediaType):
        wire.read(b"{}", kind, {})


@pytest.mark.parametrize(
    "depth, fine", [(wire.DEEPEST, True), (wire.DEEPEST + 1, False)]
)
def test_the_bound_of_depth(depth: int, fine: bool) -> None:
    lists = "[" * depth + "]" * depth
    elements = "<a>" * depth + "</a>" * depth
    for kind, text in ((wire.JSON, lists), (wire.XML, elements)):
        if fine:
            wire.read(text.encode(), kind, {})
        else:
            with pytest.raises(errors.Invalid, match="deep"):
                wire.read(text.encode(), kind, {})


def test_brackets_in_a_text_are_not_depth() -> None:
    text = "[" * 500 + '\\"' + "{" * 500
    assert wire.read(f'{{"a": "{text}"}}'.encode(), wire.JSON, {}) == {
        "a": text.replace('\\"', '"')
    }


@pytest.mark.parametrize(
    "accept, xml",
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/xml", True),
        ("text/xml; charset=utf-8", True),
        ("text/html, application/xml;q=0.9", True),
        ("application/json, application/xml", False),
        ("application/xml;q=0, application/json", False),
        ("application/vnd.openstack.trove+json;version=1.0", False),
    ],
)
def test_accept(accept: str | None, xml: bool) -> None:
    assert wire.wants_xml(accept) is xml


def test_an_answer_in_xml() -> None:
    body = {
        "instance": {
            "id": "44b2",
            "status": "ACTIVE",
            "operating_status": "",
            "hostname": None,
            "volume": {"size": 2, "used": 0.16},
            "ip": ["10.0.0.7"],
            "addresses": [{"address": "10.0.0.7", "type": "private"}],
            "links": [{"rel": "self", "href": "https://h/i"}],
        }
    }
    assert wire.write(body, as_xml=True).decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<instance xmlns="http://docs.openstack.org/database/api/v1.0" id="44b2" '
        'status="ACTIVE"><operating_status></operating_status>'
        '<volume size="2" used="0.16"/><ip><item>10.0.0.7</item></ip>'
        '<addresses><address address="10.0.0.7" type="private"/></addresses>'
        '<links><link rel="self" href="https://h/i"/></links></instance>'
    )


def test_a_scalar_answer_in_xml() -> None:
    data = wire.write({"rootEnabled": True}, as_xml=True)
    assert data.endswith(b">True</rootEnabled>")


def test_the_links_of_a_list_are_in_it_once() -> None:
    following = [{"rel": "next", "href": "h"}]
    body = {"users": [{"name": "u"}], "links": following, "users_links": following}
    data = wire.write(body, as_xml=True).decode()
    assert data.count("<link ") == 1
    assert '<user name="u"/><links><link rel="next" href="h"/></links></users>' in data


def test_what_xml_cannot_hold_does_not_break_it() -> None:
    body = {"fault": {"message": "a\x07b", "a b": "c", "values": {"x y": {"z": 1}}}}
    data = wire.write(body, as_xml=True).decode()
    assert "a\ufffdb" in data
    assert '<entry key="a b">c</entry>' in data


def test_what_has_no_root_in_json_has_one_in_xml() -> None:
    rule = {"name": "wait_timeout", "type": "integer"}
    said = wire.write(rule, True, "configuration-parameter").decode()
    assert '<configuration-parameter xmlns="' in said
    assert "wait_timeout" in said and "integer" in said
    assert b"configuration" not in wire.write(rule, False, "configuration-parameter")

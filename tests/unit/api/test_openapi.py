# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document: whole, resolvable, and of the very schemas that are checked."""

import json
import typing

import jsonschema
import pytest

from tests.api.test_policy_matrix import BODIES
from trove.api import openapi
from trove.api.resources import TABLE

DOCUMENT = json.loads(json.dumps(openapi.document(TABLE.routes)))
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
]


def walk(value: typing.Any) -> typing.Iterator[tuple[str, typing.Any]]:
    """Every key and value in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def test_every_route_is_in_it_once() -> None:
    told = {(path, method) for path, method, _ in OPERATIONS}
    assert told == {
        (f"/{{tenant}}/{route.path}", route.op.method.lower()) for route in TABLE.routes
    }
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere() -> None:
    for key, value in walk(DOCUMENT):
        if key == "$ref":
            found = DOCUMENT
            for word in value.removeprefix("#/").split("/"):
                found = found[word]
            assert found


def test_no_pattern_is_pythons_alone() -> None:
    patterns = [v for k, v in walk(DOCUMENT) if k == "pattern" and isinstance(v, str)]
    assert patterns
    assert not [each for each in patterns if "\\A" in each or "\\Z" in each]


@pytest.mark.parametrize(
    "path, method, operation", OPERATIONS, ids=[f"{m} {p}" for p, m, _ in OPERATIONS]
)
def test_what_is_declared_is_what_may_be_sent(
    path: str, method: str, operation: typing.Any
) -> None:
    """The bodies of the policy's matrix are right, and an empty one is not."""
    rules = {rule: body for rule, body in BODIES.items()}
    route = next(
        route
        for route in TABLE.routes
        if f"/{{tenant}}/{route.path}" == path and route.op.method.lower() == method
    )
    if "requestBody" not in operation:
        assert route.op.body is None and not route.op.deeds
        return
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    deeds = [a.rule for actions in route.op.deeds.values() for a in actions]
    for rule in deeds or [route.op.rule]:
        if rule in rules:
            validator.validate(rules[rule])
    if operation["requestBody"]["required"] and route.op.root != "":
        assert not validator.is_valid({})


def test_every_parameter_that_is_declared_is_told_with_its_schema() -> None:
    told = {
        (path, method): {
            each["name"]: each["schema"]
            for each in operation.get("parameters", ())
            if each["in"] == "query"
        }
        for path, method, operation in OPERATIONS
    }
    for route in TABLE.routes:
        declared = {query.name: query.schema for query in route.op.parameters}
        assert told[f"/{{tenant}}/{route.path}", route.op.method.lower()] == declared
    assert "from_guest" in told["/{tenant}/instances/{id}/modules", "get"]

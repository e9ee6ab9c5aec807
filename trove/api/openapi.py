# SPDX-License-Identifier: Apache-2.0
"""The API as an OpenAPI 3.1 document, derived from the declarations.

Bodies are the very schemas that requests are checked against. Of answers it tells the
root and what is below it as far as every answer of that kind has it; a client must bear
more keys than that.
"""

import typing
from collections.abc import Iterable, Mapping

from trove.api.links import VERSION
from trove.api.resource import Action, Op, Plain
from trove.api.table import TENANT, Route

DIALECT = "https://json-schema.org/draft/2020-12/schema"
JSON, XML = "application/json", "application/xml"

PYTHON_ONLY = ((r"\A", "^"), (r"\Z", "$"))
"""Anchors that other languages' regular expressions write differently."""

FAULTS = {
    400: "The request is not understood, or asks for what cannot be.",
    401: "There is no valid token.",
    403: "The caller may not do this.",
    404: "There is no such thing, or it is another project's.",
    405: "The resource has no such method.",
    409: "Another request, or another use of this Idempotency-Key, stands against it.",
    413: "A quota or a rate limit; Retry-After says when to come again.",
    422: "What it is about is not in a state for this.",
    500: "A mistake of the service; the request id finds it in the log.",
    501: "This is not supported.",
    502: "The cloud beneath, or a database's engine, failed.",
    503: "Something that it needs does not answer; try again later.",
}


def document(routes: Iterable[Route]) -> Plain:
    """The whole; plain values that JSON can hold."""
    paths: dict[str, Plain] = {}
    for route in routes:
        where = paths.setdefault(f"/{{{TENANT}}}/{route.path}".rstrip("/"), {})
        where["parameters"] = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }
            for name in route.names
        ]
        where[route.op.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": DIALECT,
        "info": {
            "title": "Trove",
            "version": VERSION,
            "description": "Databases as a service. An error is one object, named by "
            "its class, with ``code`` and ``message`` in it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"/{VERSION}"}],
        "security": [{"token": []}],
        "tags": [
            {"name": name}
            for name in dict.fromkeys(route.resource.plural for route in routes)
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}
            },
            "schemas": {"Fault": _FAULT, "DryRun": _DRY_RUN},
            "responses": {
                f"Fault{status}": {
                    "description": said,
                    "content": {JSON: {"schema": _reference("Fault")}, XML: {}},
                }
                for status, said in FAULTS.items()
            },
        },
    }


_FAULT: Plain = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
    },
}

_DRY_RUN: Plain = {
    "type": "object",
    "required": ["dry_run"],
    "properties": {
        "dry_run": {
            "type": "object",
            "required": ["operations", "quota"],
            "properties": {
                "operations": {"type": "array", "items": {"type": "object"}},
                "quota": {"type": "array", "items": {"type": "object"}},
                "changes": {"type": "object"},
            },
        }
    },
}


def _reference(name: str) -> Plain:
    return {"$ref": f"#/components/schemas/{name}"}


def _operation(route: Route) -> Plain:
    op = route.op
    said: Plain = {
        "operationId": _name(route),
        "summary": op.said,
        "tags": [route.resource.plural],
        "responses": _responses(route),
    }
    if parameters := _parameters(op):
        said["parameters"] = parameters
    if op.deeds:
        said["requestBody"] = _required(_actions(op.deeds))
    elif op.body is not None:
        said["requestBody"] = _required(_body(route), not op.optional)
    if op.rule:
        said["x-policy"] = op.rule
    return said


def _name(route: Route) -> str:
    """``get_instances_id``: unique, for a path has each method once."""
    words = route.path.replace("{", "").replace("}", "").replace("-", "_").split("/")
    return "_".join([route.op.method.lower(), *words])


def _parameters(op: Op) -> list[Plain]:
    asked: list[Plain] = [
        {
            "name": query.name,
            "in": "query",
            "description": query.said,
            "schema": dict(query.schema),
        }
        for query in op.parameters
    ]
    if op.method != "GET":
        asked.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same request with the same key is made once.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 255,
                    "pattern": "^[ -~]+$",
                },
            }
        )
    return asked


def _required(schema: Plain, required: bool = True) -> Plain:
    content = {JSON: {"schema": schema}, XML: {}}
    return {"required": required, "content": content}


def _actions(deeds: Mapping[str, tuple[Action, ...]]) -> Plain:
    """One of them, alone in its object."""
    alone = []
    for key, actions in deeds.items():
        bodies = [_portable(dict(action.body)) for action in actions]
        unlike = [each for n, each in enumerate(bodies) if each not in bodies[:n]]
        value = unlike[0] if len(unlike) == 1 else {"anyOf": unlike}
        alone.append(
            {
                "type": "object",
                "required": [key],
                "properties": {key: value},
                "additionalProperties": False,
            }
        )
    return {"oneOf": alone}


def _body(route: Route) -> Plain:
    op = route.op
    schema = typing.cast(Plain, _portable(dict(op.body or {})))
    root = route.resource.name if op.root is None else op.root
    if not root:
        return schema
    wrapped = {"type": "object", "required": [root], "properties": {root: schema}}
    if not op.one:
        return wrapped
    single = {op.one: schema["items"]}
    one = {"type": "object", "required": [op.one], "properties": single}
    return {"anyOf": [wrapped, one]}


def _portable(schema: typing.Any) -> typing.Any:
    """The same without what only Python's regular expressions have."""
    if isinstance(schema, Mapping):
        return {
            name: _pattern(value) if name == "pattern" else _portable(value)
            for name, value in schema.items()
        }
    if isinstance(schema, list | tuple):
        return [_portable(each) for each in schema]
    return schema


def _pattern(value: typing.Any) -> typing.Any:
    if not isinstance(value, str):  # a property of that name
        return _portable(value)
    for python, others in PYTHON_ONLY:
        value = value.replace(python, others)
    return value


def _responses(route: Route) -> Plain:
    op = route.op
    told: Plain = {"description": op.said}
    if op.view is not None:
        told["content"] = {JSON: {"schema": _answer(route)}, XML: {}}
    responses: Plain = {str(op.status): told}
    if op.dry:
        dry = {"schema": _reference("DryRun")}
        if op.status == 200 and op.view is not None:
            both = [told["content"][JSON]["schema"], dry["schema"]]
            told["content"][JSON] = {"schema": {"anyOf": both}}
        elif op.status == 200:
            told["content"] = {JSON: dry, XML: {}}
        else:
            said = "What would be done, for a dry run."
            responses["200"] = {"description": said, "content": {JSON: dry, XML: {}}}
    for status in FAULTS:
        responses[str(status)] = {"$ref": f"#/components/responses/Fault{status}"}
    return responses


def _answer(route: Route) -> Plain:
    """The root, and what is below it."""
    op, resource = route.op, route.resource
    if not op.many:
        wrap = resource.name if op.wrap is None else op.wrap
        return _rooted(wrap, {"type": "object"}) if wrap else {"type": "object"}
    wrap = resource.plural if op.wrap is None else op.wrap
    rows = {"type": "array", "items": {"type": "object"}}
    return _rooted(wrap, rows)


def _rooted(name: str, value: Plain) -> Plain:
    return {"type": "object", "required": [name], "properties": {name: value}}

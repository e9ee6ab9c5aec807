# SPDX-License-Identifier: Apache-2.0
"""Fragments that request schemas share, and the check of a body against its schema.

The sentence of a failure never repeats a value: a body may hold passwords.
"""

import itertools
import json
import typing

import jsonschema

from trove import errors

Schema = typing.Mapping[str, typing.Any]
Validator = jsonschema.Draft202012Validator

SHOWN = 5
"""Failures told at once, at the most."""

NAME = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    # a letter or digit somewhere, and nothing that would break a line of a log
    "pattern": r"\A[^\x00-\x1f\x7f]*[0-9A-Za-z][^\x00-\x1f\x7f]*\Z",
}
UUID = {
    "type": "string",
    "maxLength": 64,
    "pattern": r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z",
}
UUID_OR_URL = {
    "type": "string",
    "maxLength": 1024,
    "pattern": r"(\A|/)[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z",
}
FLAVOR = {
    "type": ["string", "integer"],
    "minLength": 1,
    "maxLength": 1024,
    "minimum": 0,
    "maximum": 2**63 - 1,
}
VOLUME_SIZE = {
    "type": ["integer", "string"],
    "minimum": 1,
    "maximum": 2**31 - 1,
    "pattern": r"\A0*[1-9][0-9]{0,8}\Z",
    "maxLength": 40,
}
VOLUME = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": VOLUME_SIZE,
        "type": {"type": ["string", "null"], "minLength": 1, "maxLength": 255},
    },
}
IPV4 = {
    "type": "string",
    "pattern": r"\A((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(25[0-5]|2[0-4]\d|1?\d?\d)\Z",
    "maxLength": 15,
}
CIDR = {
    "type": "string",
    # what it means, IPv4 or IPv6, is looked at by who takes it
    "pattern": r"\A[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?\Z",
    "maxLength": 49,
}
ACCESS = {
    "type": "object",
    "properties": {
        "is_public": {"type": "boolean"},
        "allowed_cidrs": {
            "type": "array",
            "items": CIDR,
            "uniqueItems": True,
            "maxItems": 256,
        },
    },
}
ACCOUNT_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
HOST = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "pattern": r"\A%?[\w().]*%?\Z",
}
DATABASE = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": ACCOUNT_NAME,
        "character_set": {"type": ["string", "null"], "maxLength": 64},
        "collate": {"type": ["string", "null"], "maxLength": 64},
    },
}
DATABASES = {"type": "array", "items": DATABASE, "maxItems": 1000}
REFERENCE = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": ACCOUNT_NAME},
}
REFERENCES = {"type": "array", "items": REFERENCE, "maxItems": 1000}
PASSWORD = {"type": "string", "minLength": 1, "maxLength": 1024}
USER = {
    "type": "object",
    "required": ["name", "password"],
    "properties": {
        "name": ACCOUNT_NAME,
        "password": PASSWORD,
        "host": {"anyOf": [HOST, {"type": "null"}]},
        "databases": REFERENCES,
    },
}
USERS = {"type": "array", "items": USER, "maxItems": 1000}
MODULES = {
    "type": "array",
    "maxItems": 100,
    "items": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": UUID},
    },
}
FLAG = {"enum": [0, 1, True, False]}
"""Where clients send 0 and 1, and true is no less clear."""


def wrapped(root: str, schema: Schema) -> Schema:
    """A body whose one thing is under ``root``; the body itself if that is empty."""
    if not root:
        return schema
    return {"type": "object", "required": [root], "properties": {root: schema}}


def check(body: typing.Any, schema: Schema) -> None:
    """Raises ``errors.Invalid`` with what is wrong where, and no value."""
    failures = itertools.islice(Validator(schema).iter_errors(body), 50)
    told = sorted({(_where(e), _reason(e)) for e in failures})
    if told:
        sentence = "; ".join(f"{where} {why}" for where, why in told[:SHOWN])
        raise errors.Invalid(f"Validation error: {sentence}")


def _where(error: jsonschema.ValidationError) -> str:
    steps = list(error.absolute_path)
    if not steps:
        return "body"
    return str(steps[0]) + "".join(f"[{_short(step)}]" for step in steps[1:])


def _short(step: str | int) -> str:
    return str(step) if isinstance(step, int) else repr(step[:64])


def _reason(error: jsonschema.ValidationError) -> str:
    rule: typing.Any = error.validator_value
    schema: typing.Any = error.schema
    instance: typing.Any = error.instance
    match error.validator:
        case "required":
            missing = [name for name in rule if name not in instance]
            return f"lacks {', '.join(map(repr, missing))}"
        case "additionalProperties":
            known = schema.get("properties", {})
            alien = sorted(set(instance) - set(known))[:SHOWN]
            return f"has what is not known here: {', '.join(map(_short, alien))}"
        case "type":
            kinds = [rule] if isinstance(rule, str) else list(rule)
            return f"is not of type {' or '.join(kinds)}"
        case "enum" | "const":
            return f"is not one of {json.dumps(rule)}"
        case "minLength" | "minItems" | "minProperties":
            return "is too short"
        case "maxLength" | "maxItems" | "maxProperties":
            return "is too long"
        case "minimum":
            return f"is less than {rule}"
        case "maximum":
            return f"is greater than {rule}"
        case "uniqueItems":
            return "has the same item twice"
        case _:
            return "is not of the form that is asked for"

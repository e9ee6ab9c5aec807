# SPDX-License-Identifier: Apache-2.0
"""The parameters of a datastore version, and their rules (contract, 10.2 and 10.3)."""

import typing

from trove.actions import datastores, parameters
from trove.api import schemas
from trove.api.resource import ADMIN, Ask, Op, Plain, Resource

# the command line sends the text that it was given
NUMBER: Plain = {
    "type": ["number", "string", "null"],
    "pattern": r"\A-?[0-9]{1,20}(\.[0-9]{1,9})?\Z",
}
KINDS = ["boolean", "float", "integer", "string"]
ROOT = "configuration-parameter"

RULE: Plain = {
    "type": "object",
    "required": ["name", "restart_required", "data_type"],
    "properties": {
        "name": {**schemas.NAME, "maxLength": 128},
        "restart_required": schemas.FLAG,
        "data_type": {"enum": KINDS},
        "max_size": NUMBER,
        "min_size": NUMBER,
    },
}


def of_datastore(ask: Ask) -> typing.Any:
    return _all(ask, _version(ask))


def one_of_datastore(ask: Ask) -> typing.Any:
    return _one(ask, _version(ask))


def of_version(ask: Ask) -> typing.Any:
    return _all(ask, ask.ids["version"])


def one_of_version(ask: Ask) -> typing.Any:
    return _one(ask, ask.ids["version"])


def _version(ask: Ask) -> str:
    found = datastores.version(
        ask.services, ask.ids["id"], ask.ids["version"], ask.context.is_admin
    )
    return found[1].id


def _all(ask: Ask, version: str) -> typing.Any:
    rules = parameters.of_version(ask.services, version, ask.context.is_admin)
    return [(version, name, rule) for name, rule in rules.items()]


def _one(ask: Ask, version: str) -> typing.Any:
    name = ask.ids["name"]
    rule = parameters.one(ask.services, version, name, ask.context.is_admin)
    return version, name.lower(), rule


def create(ask: Ask) -> typing.Any:
    body, version = ask.body[ROOT], ask.ids["version"]
    made = parameters.create(
        ask.services, ask.context, version, body["name"], _rule(body)
    )
    return version, body["name"], made


def change(ask: Ask) -> typing.Any:
    body, version = ask.body[ROOT], ask.ids["version"]
    name = ask.ids["name"]
    made = parameters.change(ask.services, ask.context, version, name, _rule(body))
    return version, name, made


def delete(ask: Ask) -> None:
    parameters.delete(ask.services, ask.context, ask.ids["version"], ask.ids["name"])


def _rule(body: Plain) -> Plain:
    return {
        "type": body["data_type"],
        "restart_required": bool(body["restart_required"]),
        "min": _bound(body.get("min_size")),
        "max": _bound(body.get("max_size")),
    }


def _bound(given: float | str | None) -> float | None:
    if not isinstance(given, str):
        return given
    return float(given) if "." in given else int(given)


def view(ask: Ask, found: typing.Any) -> Plain:
    """For users; bounds of whole numbers only, as clients read them into integers."""
    seen, rule = _seen(found), found[2]
    if rule["type"] == "integer":
        seen |= {end: rule[end] for end in ("min", "max") if rule.get(end) is not None}
    return seen


def rule_view(ask: Ask, found: typing.Any) -> Plain:
    """For administrators."""
    seen, rule = _seen(found), found[2]
    ends = (("min_size", "min"), ("max_size", "max"))
    return seen | {key: rule[end] for key, end in ends if rule.get(end) is not None}


def _seen(found: typing.Any) -> Plain:
    version, name, rule = found
    seen = {
        "name": name,
        "datastore_version_id": version,
        "restart_required": rule["restart_required"],
        "type": rule["type"],
    }
    # beside what the contract has: what a number counts, and which words there are
    return seen | {key: rule[key] for key in ("unit", "values") if key in rule}


def _get(path: str, do: typing.Any, rule: str, said: str, **about: typing.Any) -> Op:
    about = {"view": view, **about}
    return Op("GET", path, do, f"configuration-parameter:{rule}", said=said, **about)


def _mgmt(
    method: str, path: str, do: typing.Any, rule: str, said: str, **about: typing.Any
) -> Op:
    about = {"view": rule_view, "wrap": "", **about}
    rule = f"mgmt_configuration_parameter:{rule}"
    return Op(method, path, do, rule, who=ADMIN, said=said, **about)


PLURAL = "configuration-parameters"
_MANY: Plain = {"many": True, "wrap": PLURAL}

RESOURCES = (
    Resource(
        ROOT,
        PLURAL,
        (
            _get(
                "{id}/versions/{version}/parameters",
                of_datastore,
                "index",
                "List the parameters of a version.",
                **_MANY,
            ),
            _get(
                "{id}/versions/{version}/parameters/{name}",
                one_of_datastore,
                "show",
                "Show a parameter of a version.",
                wrap="",
            ),
            _get(
                "versions/{version}/parameters",
                of_version,
                "index_by_version",
                "List the parameters of a version, by its id.",
                **_MANY,
            ),
            _get(
                "versions/{version}/parameters/{name}",
                one_of_version,
                "show_by_version",
                "Show a parameter of a version, by its id.",
                wrap="",
            ),
        ),
        path="datastores",
    ),
    Resource(
        ROOT,
        PLURAL,
        (
            _mgmt(
                "GET",
                "{version}/parameters",
                of_version,
                "index",
                "List the rules of a version's parameters.",
                **_MANY,
            ),
            _mgmt(
                "POST",
                "{version}/parameters",
                create,
                "create",
                "Make a rule for a parameter.",
                body=RULE,
            ),
            _mgmt(
                "GET",
                "{version}/parameters/{name}",
                one_of_version,
                "show",
                "Show the rule of a parameter.",
            ),
            _mgmt(
                "PUT",
                "{version}/parameters/{name}",
                change,
                "update",
                "Change the rule of a parameter.",
                body=RULE,
            ),
            _mgmt(
                "DELETE",
                "{version}/parameters/{name}",
                delete,
                "delete",
                "Take a parameter out of what groups may name.",
                view=None,
                status=204,
            ),
        ),
        path="mgmt/datastores/versions",
    ),
)

# SPDX-License-Identifier: Apache-2.0
"""What is derived from the declarations: the sample policy file, the api-ref, OpenAPI.

``python -m trove.api.describe DIRECTORY`` writes them below a source tree.
"""

import argparse
import json
import pathlib
import sys
import textwrap
import typing
from collections.abc import Mapping

from oslo_policy import policy as oslo

from trove.api import policy
from trove.api.openapi import document
from trove.api.queries import Query
from trove.api.resource import Action, Op
from trove.api.resources import RESOURCES, TABLE
from trove.api.table import TENANT, Route

POLICY = "etc/trove/policy.yaml.sample"
REFERENCE = "doc/api-ref/index.rst"
OPENAPI = "doc/api-ref/openapi.json"
WIDTH = 88

WHO = {
    "rule:reader": "reader of the project",
    "rule:member": "member of the project",
    "rule:admin": "admin",
    "@": "anybody with a token",
}


# -- the sample policy file --


def sample_policy() -> str:
    """Every rule with its default, commented out."""
    lines = [
        "# The rules of trove-api and their defaults. Uncomment one to change it, and",
        "# restart nothing: the file is read again when it changes.",
        "",
    ]
    for rule in policy.list_rules():
        lines += [
            f"# {line}" for line in textwrap.wrap(rule.description or "", WIDTH - 2)
        ]
        if isinstance(rule, oslo.DocumentedRuleDefault):
            lines += [f"# {each['method']} {each['path']}" for each in rule.operations]
        lines += [f'#"{rule.name}": "{rule.check_str}"', ""]
    return "\n".join(lines)


# -- the api-ref --


def reference() -> str:
    """Every operation: who may, what is sent, what comes back."""
    lines = [
        ".. This file is derived from trove/api/resources; do not edit it.",
        "",
        "=============",
        "API reference",
        "=============",
        "",
        *textwrap.wrap(
            "Paths are relative to the service's endpoint in the catalogue. Every "
            "operation speaks JSON, and XML for who sends or accepts application/xml. "
            "An error is one object named by its class, with code and message in it.",
            WIDTH,
        ),
        "",
    ]
    for resource in RESOURCES:
        title = resource.root.replace("mgmt/", "Management: ").replace("_", " ")
        lines += ["", title.capitalize(), "-" * len(title), ""]
        for route in TABLE.routes:
            if route.resource is resource:
                lines += _operation(route)
    return "\n".join(lines).rstrip() + "\n"


def _operation(route: Route) -> list[str]:
    op = route.op
    title = f"{op.method} /v1.0/{{{TENANT}}}/{route.path}"
    lines = [title, "~" * len(title), "", *textwrap.wrap(op.said, WIDTH), ""]
    if op.deeds:
        lines += ["The body is an object with exactly one of:", ""]
        for key, alternatives in op.deeds.items():
            for action in alternatives:
                lines += _action(key, action)
    else:
        lines.append(f"* For: {WHO[op.who]} (``{op.rule}``)")
        if op.body is not None:
            root = route.resource.name if op.root is None else op.root
            lines += [_body_of(op, root), "", *_fields(op.body)]
    answer = "" if op.view else ", without a body"
    lines += [line for query in op.parameters for line in _parameter(query)]
    return [*lines, f"* Answers {op.status}{answer}", ""]


def _parameter(query: Query) -> list[str]:
    """A line, or two."""
    text = f"* ``?{query.name}``, {_kind(query.schema)}: {query.said}"
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _body_of(op: Op, root: str) -> str:
    """What the body's one key is, and what it may be besides."""
    said = f"``{root}``" if root else "an object"
    if op.one:
        said += f", or ``{op.one}`` with one alone"
    return f"* Body: {said}" + (", or none" if op.optional else "")


def _action(key: str, action: Action) -> list[str]:
    name = f"{key}: {action.when}" if action.when else key
    return [f"* ``{name}``: {WHO[action.who]} (``{action.rule}``)", ""]


def _fields(schema: Mapping[str, typing.Any], depth: int = 1) -> list[str]:
    pad = "  " * depth
    required = schema.get("required", ())
    lines = []
    for name, inner in schema.get("properties", {}).items():
        must = ", required" if name in required else ""
        lines += [f"{pad}* ``{name}``: {_kind(inner)}{must}"]
        deeper = inner.get("items", inner)
        if "properties" in deeper:
            lines += ["", *_fields(deeper, depth + 1)]
    return [*lines, ""] if lines else []


def _kind(schema: Mapping[str, typing.Any]) -> str:
    if schema.get("type") == "null":
        return "nothing"
    if "enum" in schema:
        return " or ".join(f"``{each}``" for each in schema["enum"] if each is not None)
    kinds = schema.get("type") or [_kind(each) for each in schema.get("anyOf", ())]
    listed = [kinds] if isinstance(kinds, str) else list(kinds)
    return " or ".join(kind for kind in listed if kind not in ("null", "nothing"))


# -- the command --


def write(tree: pathlib.Path) -> None:
    """The files, below a source tree."""
    described = json.dumps(document(TABLE.routes), indent=1) + "\n"
    texts = {POLICY: sample_policy(), REFERENCE: reference(), OPENAPI: described}
    for name, text in texts.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("describe", description=__doc__)
    parser.add_argument("directory", type=pathlib.Path, help="the source tree")
    write(parser.parse_args(argv).directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())

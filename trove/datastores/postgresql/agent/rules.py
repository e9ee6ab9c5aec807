# SPDX-License-Identifier: Apache-2.0
"""What this very PostgreSQL says of its parameters: types, units, ranges and words.

Asked of a server in single-user mode, which listens nowhere, in a data directory that
is thrown away. ``postgres --describe-config`` needs none, and leaves out the units and
the words.
"""

import json
import typing

from trove.datastores.policy import Rule, Rules
from trove.datastores.postgresql.agent.places import programs
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import Description, Host

WORK = "/var/lib/trove-rules"
TIMEOUT = 120.0

QUESTION = b"""\
COPY (SELECT row_to_json(said) FROM (SELECT lower(name) AS name, vartype, unit, \
min_val, max_val, enumvals, context, CASE name WHEN 'server_version' THEN setting END \
AS value FROM pg_settings) said) TO STDOUT
"""

KINDS = {"bool": "boolean", "real": "float", "integer": "integer"}
"""Of what is an enum or a string, a value is a text."""


def describe(host: Host) -> Description:
    """The rules of all parameters that files may name, and the engine's version."""
    work = host.path(WORK)
    host.remove(work)
    try:
        rows = _rows(host, work)
    finally:
        host.remove(work)
    rules = {name: _rule(row) for name, row in rows.items() if _settable(row)}
    return Description(str(rows["server_version"]["value"]), _sorted(rules))


def _rows(host: Host, work: str) -> dict[str, dict[str, typing.Any]]:
    host.make_directory(work, mode=0o700, owner=DATASTORE.user)
    where = programs(host)
    made = [
        f"{where}/initdb",
        f"--pgdata={work}/data",
        f"--username={DATASTORE.user}",
        "--auth=reject",
        "--no-instructions",
        "--no-sync",  # nothing in it is kept
    ]
    host.run(made, user=DATASTORE.user, timeout=TIMEOUT)
    asked = host.run(
        [
            f"{where}/postgres",
            "--single",
            "-D",
            f"{work}/data",
            "-c",
            "exit_on_error=on",
            "postgres",
        ],
        input=QUESTION,
        user=DATASTORE.user,
        timeout=TIMEOUT,
    )
    # Before a line may stand its prompt; COPY doubles each backslash.
    lines = (line[line.find("{") :] for line in asked.stdout.splitlines())
    said = [line.replace("\\\\", "\\") for line in lines if line.startswith("{")]
    return {row["name"]: row for row in map(json.loads, said)}


def _settable(row: dict[str, typing.Any]) -> bool:
    return bool(row["context"] != "internal")


def _rule(row: dict[str, typing.Any]) -> Rule:
    kind = KINDS.get(row["vartype"], "string")
    rule: Rule = {"type": kind, "restart_required": row["context"] == "postmaster"}
    number = {"integer": int, "float": float}.get(kind)
    if number is not None:
        rule |= {end: number(row[f"{end}_val"]) for end in ("min", "max")}
    if row["enumvals"] is not None:
        rule["values"] = row["enumvals"]
    if row["unit"] is not None:
        rule["unit"] = row["unit"]
    return rule


def _sorted(rules: Rules) -> Rules:
    return {name: rules[name] for name in sorted(rules)}

# SPDX-License-Identifier: Apache-2.0
"""What this very MariaDB says of its variables: their types, ranges and words.

Asked of a server of its own that is gone a second later: on a directory that is thrown
away, without a port, and without privilege tables, for there is nothing to guard.
"""

import json
import typing

from trove.datastores.mariadb.agent.variables import ALIASES
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.policy import Rule, Rules
from trove.datastores.protocol import Description, Host

SERVER = "/usr/sbin/mariadbd"
WORK = "/var/lib/trove-rules"
"""Short: it has the socket, whose path has at most 107 characters."""
TIMEOUT = 120.0

FACTS = {
    "name": "LOWER(variable_name)",
    "scope": "variable_scope",
    "type": "variable_type",
    "min": "numeric_min_value",
    "max": "numeric_max_value",
    "words": "enum_value_list",
    "read_only": "read_only",
    "value": "IF(variable_name = 'VERSION', global_value, NULL)",
}
QUESTION = """\
SELECT JSON_OBJECT({facts}) FROM information_schema.system_variables \
INTO OUTFILE '{answer}' CHARACTER SET utf8mb4 FIELDS ESCAPED BY '';
SHUTDOWN;
"""
"""One statement a line: it is read as a server's first file is."""

SMALL = (
    "--skip-grant-tables",
    "--skip-networking",
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    "--innodb-fast-shutdown=2",  # nothing in it is kept
    "--innodb-flush-method=nosync",
    "--performance-schema=OFF",
)

KINDS = {
    "BOOLEAN": "boolean",
    "DOUBLE": "float",
    "ENUM": "string",
    "SET": "string",
    "FLAGSET": "string",
    "VARCHAR": "string",
}
"""All other types are whole numbers of some size."""


def describe(host: Host) -> Description:
    """The rules of all options that are variables, and the engine's version."""
    work = host.path(WORK)
    host.remove(work)
    try:
        for path in (work, f"{work}/data"):
            host.make_directory(path, mode=0o700, owner=DATASTORE.user)
        rows = _rows(host, work)
        return Description(
            str(rows["version"]["value"]), _rules(rows, _options(host, work))
        )
    finally:
        host.remove(work)


def _rows(host: Host, work: str) -> dict[str, dict[str, typing.Any]]:
    answer = f"{work}/variables"
    facts = ", ".join(f"'{key}', {column}" for key, column in FACTS.items())
    question = QUESTION.format(facts=facts, answer=answer)
    host.write_file(f"{work}/question", question)
    host.run(
        [
            SERVER,
            "--no-defaults",
            f"--datadir={work}/data",
            f"--tmpdir={work}",
            f"--socket={work}/socket",
            f"--pid-file={work}/pid",
            f"--init-file={work}/question",
            *SMALL,
        ],
        user=DATASTORE.user,
        timeout=TIMEOUT,
    )
    said = host.read_file(answer) or ""
    return {row["name"]: row for row in map(json.loads, said.splitlines())}


def _options(host: Host, work: str) -> frozenset[str]:
    """What may stand in its files: its help ends with a table of them."""
    words = [SERVER, "--no-defaults", f"--datadir={work}/data", "--help", "--verbose"]
    said = host.run(words, user=DATASTORE.user, timeout=TIMEOUT).stdout
    table = said.rpartition("\n-----")[2].splitlines()[1:]
    names = (line.split(maxsplit=1)[0] for line in table if line[:1].isalpha())
    return frozenset(name.replace("-", "_") for name in names)


def _rules(rows: dict[str, dict[str, typing.Any]], options: frozenset[str]) -> Rules:
    found: Rules = {}
    for option in sorted(options):
        row = rows.get(option) or rows.get(ALIASES.get(option, option))
        if row is not None and row["scope"] != "SESSION ONLY":
            found[option] = _rule(row)
    return found


def _rule(row: dict[str, typing.Any]) -> Rule:
    kind = KINDS.get(row["type"], "integer")
    rule: Rule = {"type": kind, "restart_required": row["read_only"] == "YES"}
    number = {"integer": int, "float": float}.get(kind)
    if number is not None:
        rule |= {end: number(row[end]) for end in ("min", "max")}
    words = {"ENUM": "values", "SET": "members"}.get(row["type"])
    if words is not None and row["words"]:
        rule[words] = row["words"].split(",")
    return rule

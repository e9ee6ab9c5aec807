# SPDX-License-Identifier: Apache-2.0
"""The system variables of a running MySQL, in its performance schema.

These tables are there also where that schema is off. They say nothing of whether a
variable can change: that is said by an attempt.
"""

import dataclasses
import typing

import pymysql

from trove import errors
from trove.datastores.classic import variables
from trove.datastores.classic.sql import Talk, code
from trove.datastores.classic.variables import TIMEOUT, near, same

ALIASES = {"default_time_zone": "time_zone"}
"""Options of the file whose variable has another name."""

FIXED = 1238
"""What an attempt fails with that must wait for a restart."""

AS_IN_A_FILE = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'"
"""A number that is no multiple of its block is rounded, and not refused."""

SELECT = """\
SELECT LOWER(variable_name), variable_value, variable_source, variable_path \
FROM performance_schema.global_variables \
JOIN performance_schema.variables_info USING (variable_name)"""
"""Short, though it finds more than is wanted: a group may bound what the engine reads
of a statement (``max_allowed_packet``)."""

POOL = "innodb_buffer_pool_size"
UNITS = ("innodb_buffer_pool_chunk_size", "innodb_buffer_pool_instances")
"""A pool is made of whole chunks in each instance."""


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """One row. ``origin``: EXPLICIT, DYNAMIC, COMPILED, ...; ``path``: the file;
    ``block``: a number is rounded up to a multiple of it.
    """

    name: str
    value: str
    origin: str
    path: str | None
    block: int = 1

    def whole(self, wanted: typing.Any) -> typing.Any:
        """What the engine makes of a number."""
        if isinstance(wanted, bool) or not isinstance(wanted, int):
            return wanted
        return -(-wanted // self.block) * self.block


class Variables(variables.Variables[Variable]):
    """MySQL says of each where its value is from."""

    aliases = ALIASES
    rounds = 2
    """An end of one pair cannot pass the other's: io_capacity, max_dirty_pages_pct."""

    def __init__(self, talk: Talk, names: typing.Iterable[str], path: str) -> None:
        super().__init__(talk, names, path)
        talk.rows(AS_IN_A_FILE, TIMEOUT)

    def _rows(self) -> dict[str, Variable]:
        rows = {row[0]: Variable(*row) for row in self._talk.rows(SELECT, TIMEOUT)}
        block = 1
        for unit in UNITS:
            block *= int(rows[unit].value)
        rows[POOL] = dataclasses.replace(rows[POOL], block=block)
        return rows

    def _ours(self, row: Variable) -> bool:
        return row.origin == "DYNAMIC" or row.path == self._path

    def _settle(self, row: Variable, wanted: typing.Any) -> bool:
        if wanted is not None and same(row.value, row.whole(wanted)):
            return True
        try:
            self._set(row.name, wanted)
        except pymysql.MySQLError as failed:
            if code(failed) == FIXED:
                return False
            raise
        return True

    def _check(self, name: str, row: Variable, wanted: typing.Any) -> None:
        if not near(row.value, row.whole(wanted)):
            why = f"{name} was set to {wanted}, and is {row.value}"
            raise errors.EngineFailed(why=why)

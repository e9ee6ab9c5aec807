# SPDX-License-Identifier: Apache-2.0
"""The system variables of a running MariaDB: ``INFORMATION_SCHEMA.SYSTEM_VARIABLES``.

What a variable is, where its value came from and whether it can change is said there.
"""

import dataclasses
import typing

from trove import errors
from trove.datastores.classic import variables
from trove.datastores.classic.variables import TIMEOUT, near, same

ALIASES = {"default_time_zone": "time_zone", "transaction_isolation": "tx_isolation"}
"""Options of the file whose variable has another name."""

SELECT = """\
SELECT LOWER(variable_name), global_value, global_value_origin, global_value_path, \
read_only, default_value, numeric_block_size FROM information_schema.system_variables \
WHERE global_value IS NOT NULL"""
"""Short, though it finds more than is wanted: a group may bound what the engine reads
of a statement (``max_allowed_packet``) to a kilobyte."""


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """One row. ``origin``: CONFIG, SQL, COMPILE-TIME, AUTO, ...; ``path``: the file;
    ``block``: a number is a multiple of it, and rounded down to one in a file.
    """

    name: str
    value: str
    origin: str
    path: str | None
    read_only: str
    default: str | None
    block: str | None = None

    def whole(self, wanted: typing.Any) -> typing.Any:
        """What the engine makes of a number that it finds in a file."""
        if isinstance(wanted, bool) or not isinstance(wanted, int):
            return wanted
        return wanted - wanted % max(1, int(self.block or 1))


class Variables(variables.Variables[Variable]):
    """MariaDB says of each whether it is read-only, and what its default is."""

    aliases = ALIASES

    def _rows(self) -> dict[str, Variable]:
        return {row[0]: Variable(*row) for row in self._talk.rows(SELECT, TIMEOUT)}

    def _ours(self, row: Variable) -> bool:
        return row.origin == "SQL" or row.path == self._path

    def _settle(self, row: Variable, wanted: typing.Any) -> bool:
        if row.read_only == "YES":
            return same(row.value, row.default if wanted is None else wanted)
        self._set(row.name, row.whole(wanted))
        return True

    def _check(self, name: str, row: Variable, wanted: typing.Any) -> None:
        if row.read_only == "YES":
            return  # it has the value
        if row.origin not in ("SQL", "CONFIG"):
            why = f"{name} was set, and its value is not from there"
            raise errors.EngineFailed(why=why)
        if not near(row.value, row.whole(wanted)):
            why = f"{name} was set to {wanted}, and is {row.value}"
            raise errors.EngineFailed(why=why)

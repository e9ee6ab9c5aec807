# SPDX-License-Identifier: Apache-2.0
"""What may stand behind the ``?`` of a request: declared with the op that reads it.

A handler that reads what its op does not declare fails at once, so the api-ref and the
OpenAPI document, which are made of the declarations, leave nothing out.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping

from trove import errors
from trove.api.links import QUOTED


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """One parameter: its name, what it does, and which values it has."""

    name: str
    said: str
    schema: Mapping[str, typing.Any]


TRUTH = {"enum": ["true", "false", "True", "False", "1", "0"]}
FLAGS = {"true": True, "1": True, "false": False, "0": False}
WORD = {"type": "string", "maxLength": 255}

PAGING = (
    Query("limit", "The most of a page.", {"type": "integer", "minimum": 1}),
    Query("marker", "What the page begins after.", {"type": "string"}),
    Query(
        QUOTED,
        "Of this service's own links: the marker is quoted once more.",
        {"enum": ["1"]},
    ),
)
DRY = Query("dry_run", "Tell what would be done, and do nothing.", {"enum": [0, 1]})
CLUSTERED = Query(
    "include_clustered",
    "Taken from clients that always send it; no instance is of a cluster.",
    TRUTH,
)


class Queries(Mapping[str, str]):
    """Those of one request; ``given`` has what nobody declared too."""

    __slots__ = ("_declared", "given")

    def __init__(
        self, given: Mapping[str, str], declared: tuple[Query, ...] = ()
    ) -> None:
        self.given = given
        self._declared = declared

    def __getitem__(self, name: str) -> str:
        if not any(name == query.name for query in self._declared):
            raise LookupError(f"no op that does this declares the parameter {name}")
        return self.given[name]

    def truth(self, name: str) -> bool | None:
        """True or false; None: it was not said. Raises ``errors.Invalid``."""
        given = self.get(name)
        if given is None:
            return None
        try:
            return FLAGS[given.lower()]
        except KeyError:
            raise errors.Invalid(f"{name} must be true or false.") from None

    def __iter__(self) -> Iterator[str]:
        return (query.name for query in self._declared if query.name in self.given)

    def __len__(self) -> int:
        return sum(1 for _ in self)

# SPDX-License-Identifier: Apache-2.0
"""The lines of the table: each declared route, and each action behind one path."""

import dataclasses
import typing

from trove import errors
from trove.api import faults, wire
from trove.api.resource import Action
from trove.api.resources import TABLE
from trove.api.table import Route

VERSION = "/v1.0/"

REFUSES = {
    "POST clusters": 501,
    "POST instances/{id}/action promote_to_replica_source": 501,
    "POST instances/{id}/action eject_replica_source": 501,
}
"""What is declared for clients that ask for it, and cannot be had yet."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """A verb at a path, or one action of it."""

    route: Route
    action: Action | None = None
    key: str = ""

    @property
    def name(self) -> str:
        """``POST instances/{id}/action resize.volume``."""
        word = f"{self.route.op.method} {self.route.path}"
        when = f".{self.action.when}" if self.action and self.action.when else ""
        return f"{word} {self.key}{when}" if self.key else word

    @property
    def status(self) -> int:
        """How it is answered when it is done, or why it never is."""
        if "clusters/{id}" in self.route.path:
            return 404
        return REFUSES.get(self.name, self.route.op.status)

    @property
    def sends(self) -> bool:
        """Whether a request must have a body."""
        op = self.route.op
        return bool(op.deeds) or (op.body is not None and not op.optional)

    @property
    def answers(self) -> bool:
        """Whether there is anything to read in the answer."""
        return self.status >= 400 or self.route.op.view is not None


def _of(route: Route) -> list[Unit]:
    deeds = route.op.deeds
    if not deeds:
        return [Unit(route)]
    return [Unit(route, each, key) for key, all in deeds.items() for each in all]


UNITS = {unit.name: unit for route in TABLE.routes for unit in _of(route)}
_BY_ROUTE = {
    (route.op.method, route.path): [unit for unit in _of(route)]
    for route in TABLE.routes
}

DOCUMENTS = {
    "GET /": "the versions",
    "GET /v1.0": "the version",
    "GET /v1.0/openapi.json": "the description",
    "GET /healthcheck": "whether it serves",
}
"""What is answered without a token (contract, 5.3)."""


def named(method: str, path: str, body: bytes, content_type: str) -> str | None:
    """The line that a request belongs to, if to any."""
    plain = f"{method} {path.rstrip('/') or '/'}"
    if plain in DOCUMENTS:
        return plain
    if not path.startswith(VERSION):
        return None
    try:
        route, _ = TABLE.find(method, path.removeprefix(VERSION).split("/"))
    except (errors.TroveError, faults.MethodNotAllowed):
        return None
    units = _BY_ROUTE[route.op.method, route.path]
    if not route.op.deeds:
        return units[0].name
    return _action(units, _parsed(body, content_type))


def _parsed(body: bytes, content_type: str) -> typing.Any:
    try:
        return wire.read(body, content_type, {"type": "object"})
    except errors.TroveError:
        return None


def _action(units: list[Unit], body: typing.Any) -> str | None:
    if not isinstance(body, dict) or len(body) != 1:
        return None
    ((key, value),) = body.items()
    for unit in units:
        when = unit.action.when if unit.action else None
        if unit.key == key and (
            when is None or (isinstance(value, dict) and when in value)
        ):
            return unit.name
    return None

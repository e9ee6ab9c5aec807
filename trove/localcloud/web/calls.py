# SPDX-License-Identifier: Apache-2.0
"""Calls: one request as the services see it, and the ways to refuse it."""

import ast
import dataclasses
import datetime
import json
import re
import typing

import webob
from cryptography import fernet

from trove import errors
from trove.localcloud import bootstrap, keeper, things
from trove.localcloud import store as stores

LARGEST = 1 << 20
STATUSES: tuple[tuple[type[errors.TroveError], int], ...] = (
    (errors.Invalid, 400),
    (errors.Forbidden, 403),
    (errors.OverLimit, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Clash, 409),
    (errors.TroveError, 500),
)


class Fault(Exception):
    """An answer that is a refusal. ``type`` is Neutron's name for it."""

    def __init__(self, status: int, message: str, type: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type


def fault_of(error: errors.TroveError) -> Fault:
    """The refusal that an error of ours is."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    return Fault(status, error.message, type(error).__name__)


@dataclasses.dataclass(slots=True)
class Cloud:
    """What every call may use."""

    store: stores.Store
    keeper: keeper.Keeper
    settings: bootstrap.Settings
    endpoint: str
    seal: fernet.Fernet = dataclasses.field(
        default_factory=lambda: fernet.Fernet(fernet.Fernet.generate_key())
    )
    """What secrets are sealed with in their rows."""


@dataclasses.dataclass(slots=True)
class Call:
    """One request, by somebody known."""

    cloud: Cloud
    request: webob.Request
    service: str
    project: str
    user: str
    roles: frozenset[str]
    version: tuple[int, int] = (2, 1)

    @property
    def admin(self) -> bool:
        """Whether the caller may see every project."""
        return "admin" in self.roles

    @property
    def serving(self) -> bool:
        """Whether the caller is a service, which others' ports are shown to.

        Neutron does so; that it takes address pairs of one is an operator's policy.
        """
        return "service" in self.roles

    def may_write(self) -> bool:
        """Whether the caller may change anything."""
        return bool(self.roles & {"admin", "member", "service"})

    def body(self, key: str | None = None) -> dict[str, typing.Any]:
        """The JSON object in the request, or what it has under ``key``."""
        if (self.request.content_length or 0) > LARGEST:
            raise Fault(413, "Request is too large.")
        try:
            found = json.loads(self.request.body or b"{}")
        except ValueError:
            raise Fault(400, "Malformed request body") from None
        if key is not None and isinstance(found, dict):
            found = found.get(key)
        if not isinstance(found, dict):
            raise Fault(400, f"Invalid input: an object {key or ''} was expected.")
        return found

    def all_projects(self) -> bool:
        """Whether a list was asked over every project, by one who may."""
        asked = self.request.GET.get(
            "all_tenants", self.request.GET.get("all_projects")
        )
        return self.admin and asked is not None and asked.lower() not in ("0", "false")

    def mine(self, thing: things.Thing | None) -> bool:
        """Whether the caller may see the thing at all."""
        return thing is not None and (self.admin or thing.project == self.project)

    def url(self, *parts: str) -> str:
        """A link below this service."""
        return "/".join([f"{self.cloud.endpoint}/{self.service}", *parts])


Answer = typing.Any
Action = typing.Callable[..., Answer]


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """What was answered, and as what."""

    status: int
    body: Answer


def with_status(status: int, said: Answer) -> Said:
    """An answer whose status is not the table's."""
    return Said(status, said)


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path with ``{names}``, and the function that answers."""

    verb: str
    pattern: re.Pattern[str]
    action: Action
    status: int


def route(verb: str, path: str, action: Action, status: int = 200) -> Route:
    """A line of a service's table."""
    expression = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)
    return Route(verb, re.compile(f"{expression}/?"), action, status)


def iso(seconds: float | None, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str | None:
    """A moment as the services write it."""
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime(form)


MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%f"


def marks(text: str) -> dict[str, str]:
    """The metadata filter, which the client writes as a Python dictionary."""
    try:
        found = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise Fault(400, f"Invalid filter: metadata {text}")
    return found


def page(
    rows: list[typing.Any], limit: str | None, marker: str | None
) -> tuple[list[typing.Any], bool]:
    """The rows after ``marker``, at most ``limit``; and whether there are more."""
    if marker:
        places = [place for place, row in enumerate(rows) if row.id == marker]
        if not places:
            raise Fault(400, f"marker [{marker}] not found")
        rows = rows[places[0] + 1 :]
    if limit is None:
        return rows, False
    try:
        most = int(limit)
    except ValueError:
        most = -1
    if most < 0:
        raise Fault(400, "limit param must be an integer")
    return rows[: most or None], bool(most) and len(rows) > most

# SPDX-License-Identifier: Apache-2.0
"""The one pecan controller: finds the Op, then the same moves for each.

Policy, ``wire.read``, schema, ``do``, ``view``, ``wire.write``. For the actions behind
one path the body says which it is, so it is read before the policy is asked.
"""

import dataclasses
import functools
import io
import typing
import urllib.parse
from collections.abc import Mapping

import webob

from trove import errors
from trove.actions.services import Services
from trove.api import (
    dry,
    keymanager,
    networks,
    objectstore,
    once,
    paging,
    paths,
    schemas,
    wire,
)
from trove.api.links import VERSION, Links
from trove.api.policy import Policy
from trove.api.queries import Queries
from trove.api.resource import Action, Ask, Deed
from trove.api.table import Route, Table
from trove.api.templateless import ExplicitPecan, pecan
from trove.context import Context

CONTEXT = "trove.context"
RATES = "trove.rates"
_STASH = "trove.request"
PARAMETERS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class _Stash:
    """What pecan would read on its own account, kept from it: it guesses, and fails."""

    route: Route
    ids: Mapping[str, str]
    accept: str | None
    content_type: str | None
    query: str
    input: typing.Any
    length: str | None
    ends: bool
    """Whether the input ends by itself; without a length it would be waited for."""


class Root:
    """Every request below ``/v1.0`` comes through here."""

    def __init__(self, table: Table, policy: Policy, services: Services) -> None:
        self._table = table
        self._policy = policy
        self._services = services

    @pecan.expose()
    def _route(
        self, remainder: list[str], request: webob.Request
    ) -> tuple[typing.Any, list[str]]:
        environ = request.environ
        segments = paths.segments(environ)
        if len(segments) < 3 or segments[0] != VERSION:
            raise errors.NotFound("The resource could not be found.")
        route, ids = self._table.find(request.method, segments[1:])
        environ[_STASH] = _Stash(
            route,
            ids,
            accept=environ.pop("HTTP_ACCEPT", None),
            content_type=environ.get("CONTENT_TYPE") or None,
            query=environ.get("QUERY_STRING", ""),
            input=environ.get("wsgi.input"),
            length=environ.get("CONTENT_LENGTH"),
            ends=bool(
                environ.get("wsgi.input_terminated")
                or environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
            ),
        )
        environ.update(
            {"QUERY_STRING": "", "CONTENT_TYPE": "", "CONTENT_LENGTH": "0"},
        )
        environ["wsgi.input"] = io.BytesIO()
        return self.answer, []

    @pecan.expose()
    def answer(
        self, request: webob.Request, response: webob.Response
    ) -> webob.Response:
        """The moves."""
        stash: _Stash = request.environ[_STASH]
        op = stash.route.op
        ask = self._ask(request, stash)
        ask, do = self._act(ask, stash) if op.deeds else self._take(ask, stash)
        as_xml = wire.wants_xml(stash.accept)
        rehearsed = dry.asked(op, ask)
        status = 200 if rehearsed else op.status
        seen = (
            dry.rehearse(ask, do, stash.route.resource.name)
            if rehearsed
            else _viewed(stash.route, ask, once.carried(op, ask, do))
        )
        bare = ""
        if seen is not None and len(seen) > 1 and op.wrap == "" and not rehearsed:
            bare = stash.route.resource.name
        return webob.Response(
            status=status,
            body=b"" if seen is None else wire.write(seen, as_xml, bare),
            content_type=None if status == 204 else wire.XML if as_xml else wire.JSON,
        )

    def _ask(self, request: webob.Request, stash: _Stash) -> Ask:
        environ = request.environ
        context: Context = environ[CONTEXT]
        base = self._services.settings.public_endpoint or request.application_url
        where = paths.quoted(environ).strip("/").split("/", 2)[-1]
        return Ask(
            context=context,
            services=self._services,
            ids=stash.ids,
            links=Links(base.rstrip("/"), stash.ids["tenant"], where),
            query=Queries(_query(stash.query), stash.route.op.parameters),
            key=_key(environ.get("HTTP_IDEMPOTENCY_KEY")),
            rates=environ.get(RATES, list),
            object_store=functools.partial(
                objectstore.opened, environ, self._services.settings
            ),
            networks=functools.partial(networks.opened, environ, self._services),
            key_manager=functools.partial(
                keymanager.opened, environ, self._services.settings
            ),
        )

    def _take(self, ask: Ask, stash: _Stash) -> tuple[Ask, Deed]:
        op = stash.route.op
        self._policy.authorize(ask.context, op.rule, ask.owner)
        if op.body is not None:
            ask = dataclasses.replace(ask, body=_body(stash))
        return ask, typing.cast(Deed, op.do)

    def _act(self, ask: Ask, stash: _Stash) -> tuple[Ask, Deed]:
        deeds = stash.route.op.deeds
        schema = {
            "type": "object",
            "properties": {key: deed[-1].body for key, deed in deeds.items()},
        }
        body = _read(stash, schema)
        action = _picked(deeds, body)
        self._policy.authorize(ask.context, action.rule, ask.owner)
        key = next(iter(body))
        schemas.check(body, schemas.wrapped(key, action.body))
        return dataclasses.replace(ask, body=body), action.do


class Application(ExplicitPecan):
    """Pecan as a router: nothing global, nothing guessed, no 204 for an empty 200."""

    def __init__(self, root: Root) -> None:
        super().__init__(
            root,
            default_renderer="json",
            force_canonical=False,
            guess_content_type_from_ext=False,
        )

    # pecan would read the signatures of both anew for each request: a tenth of a list.

    def route(
        self, req: webob.Request, node: Root, path: str
    ) -> tuple[typing.Any, list[str]]:
        """There is one controller, and it knows the way itself."""
        return node._route([], req)

    def invoke_controller(
        self,
        controller: typing.Any,
        args: typing.Any,
        kwargs: object,
        state: typing.Any,
    ) -> None:
        """It always answers with a whole response."""
        state.response = controller(*args)

    def _handle_empty_response_body(self, state: typing.Any) -> None:
        """The declaration says what the status is."""


def _root(route: Route) -> str:
    return route.resource.name if route.op.root is None else route.op.root


def _body(stash: _Stash) -> typing.Any:
    """The body that the op declares, checked; None if it may be absent and is."""
    op, root = stash.route.op, _root(stash.route)
    declared = typing.cast(schemas.Schema, op.body)
    schema = known = schemas.wrapped(root, declared)
    if op.one:
        item = declared["items"]
        known = {**schema, "properties": {**schema["properties"], op.one: item}}
    data = _bytes(stash)
    if op.optional and not data.strip():
        return None
    body = _parsed(data, stash, known, bare=not root)
    if op.one and isinstance(body, dict):
        body = _listed(body, root, op.one)
    schemas.check(body, schema)
    return body


def _listed(body: dict[str, typing.Any], many: str, one: str) -> dict[str, typing.Any]:
    """A single item, under its own root or the list's, as a list of one."""
    if many not in body and one in body:
        return {many: [body[one]]}
    if isinstance(body.get(many), dict):
        return {many: [body[many]]}
    return body


def _picked(deeds: Mapping[str, tuple[Action, ...]], body: typing.Any) -> Action:
    if not isinstance(body, dict) or len(body) != 1:
        raise errors.Invalid("The body must be an object with exactly one action.")
    (key, value) = next(iter(body.items()))
    if key not in deeds:
        known = ", ".join(sorted(deeds))
        raise errors.Invalid(f"There is no such action; there are: {known}.")
    for action in deeds[key]:
        if action.when is None or (isinstance(value, dict) and action.when in value):
            return action
    raise errors.Invalid(f"Something is missing in the action {key}.")


def _read(stash: _Stash, schema: typing.Any) -> typing.Any:
    return _parsed(_bytes(stash), stash, schema)


def _parsed(
    data: bytes, stash: _Stash, schema: typing.Any, bare: bool = False
) -> typing.Any:
    if not data.strip():
        raise errors.Invalid("The request needs a body.")
    return wire.read(data, stash.content_type, schema, bare)


def _bytes(stash: _Stash) -> bytes:
    if stash.input is None:
        return b""
    if stash.length:
        if not (stash.length.isascii() and stash.length.isdigit()):
            raise errors.Invalid("The Content-Length is not a number.")
        return typing.cast(bytes, stash.input.read(int(stash.length)))
    if not stash.ends:
        return b""
    # chunked: the server ends the stream, the size limiter bounds it
    return typing.cast(bytes, stash.input.read())


def _query(text: str) -> dict[str, str]:
    try:
        pairs = urllib.parse.parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS
        )
    except ValueError:
        raise errors.Invalid("The query string cannot be read.") from None
    query = dict(pairs)
    if any("\x00" in name + value for name, value in query.items()):
        raise errors.Invalid("The query string has a character that cannot be.")
    return query


def _key(given: str | None) -> str | None:
    if given is None:
        return None
    if not (1 <= len(given) <= 255) or not given.isascii() or not given.isprintable():
        raise errors.Invalid(
            "An Idempotency-Key must be 1 to 255 printable ASCII characters."
        )
    return given


def _viewed(route: Route, ask: Ask, result: typing.Any) -> dict[str, typing.Any] | None:
    op = route.op
    if op.view is None:
        return None
    if not op.many:
        seen = op.view(ask, result)
        wrap = route.resource.name if op.wrap is None else op.wrap
        return {wrap: seen} if wrap else seen
    wrap = route.resource.plural if op.wrap is None else op.wrap
    page = result if isinstance(result, paging.Page) else paging.Page(result)
    return {
        wrap: [op.view(ask, item) for item in page.items],
        **paging.links(ask.links, ask.query.given, page, wrap),
    }

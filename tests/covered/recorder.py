# SPDX-License-Identifier: Apache-2.0
"""Hears the requests of a test: at the door of an API in this process, or at clients.

A running deployment is another process's; there the requests of this one's clients are
heard, for all of them send through ``requests``.
"""

import contextlib
import dataclasses
import io
import typing
import urllib.parse
from collections.abc import Iterator

import requests

from tests.covered import units

Environ = dict[str, typing.Any]
LARGEST = 65536
"""Bytes of a body that is looked at to tell which action it asks for."""

LIBRARY, SDK = "python-troveclient", "python-openstacksdk"
"""The names that the tests of these libraries give to their sessions."""

CLIENTS = (
    (LIBRARY, "python-troveclient"),
    (SDK, "openstacksdk"),
    ("openstacksdk/", "openstack"),  # the shell's session is of that library
    ("Terraform", "Terraform, replayed"),
    ("gophercloud", "gophercloud, replayed"),
    ("heat", "Heat, replayed"),
    ("horizon", "Horizon, replayed"),
)
PLAIN = "plain HTTP"


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """One request: which line of the table, by whom, in which languages, how it ended.

    ``sent`` and ``got`` are ``json``, ``xml`` or nothing.
    """

    unit: str
    client: str
    sent: str
    got: str
    status: int


HEARD: list[Heard] = []


def take() -> set[Heard]:
    """Those since the last time."""
    found = set(HEARD)
    HEARD.clear()
    return found


def client_of(agent: str) -> str:
    """By its User-Agent."""
    return next((name for word, name in CLIENTS if word in agent), PLAIN)


def _language(content_type: str, body: bool) -> str:
    return "" if not body else "xml" if "xml" in content_type else "json"


class Recording:
    """Around a WSGI application; it changes nothing."""

    def __init__(self, application: typing.Any) -> None:
        self.application = application

    def __call__(self, environ: Environ, start: typing.Any) -> typing.Any:
        body = _peeked(environ)
        kind = environ.get("CONTENT_TYPE") or ""
        sent = _language(kind, environ.get("CONTENT_LENGTH") not in (None, "", "0"))
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        agent = environ.get("HTTP_USER_AGENT", "")
        rehearsed = "dry_run" in environ.get("QUERY_STRING", "")

        def started(status: str, headers: typing.Any, *more: typing.Any) -> typing.Any:
            told = {name.lower(): value for name, value in headers}
            unit = units.named(method, path, body, kind)
            if unit is not None and not rehearsed:
                HEARD.append(
                    Heard(
                        unit,
                        client_of(agent),
                        sent,
                        _language(
                            told.get("content-type", ""),
                            told.get("content-length", "0") != "0",
                        ),
                        int(status.split()[0]),
                    )
                )
            return start(status, headers, *more)

        return self.application(environ, started)


def _peeked(environ: Environ) -> bytes:
    """The body of a POST, and it is still there to be read."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if environ["REQUEST_METHOD"] != "POST" or not (
        length.isascii() and length.isdigit()
    ):
        return b""
    if not 0 < int(length) <= LARGEST:
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """While it lasts, whatever this process sends to an API is heard."""
    send = requests.Session.send

    def heard(
        session: requests.Session,
        request: requests.PreparedRequest,
        **about: typing.Any,
    ) -> requests.Response:
        answer = send(session, request, **about)
        _note(request, answer)
        return answer

    requests.Session.send = heard  # type: ignore[method-assign]
    try:
        yield
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


def _note(request: requests.PreparedRequest, answer: requests.Response) -> None:
    url = urllib.parse.urlsplit(request.url or "")
    body = request.body or b""
    data = body.encode() if isinstance(body, str) else body
    kind = str(request.headers.get("Content-Type") or "")
    # the path as WSGI servers have it, but for slashes that are part of a name
    path = urllib.parse.unquote(url.path.replace("%2F", "-").replace("%2f", "-"))
    unit = units.named(request.method or "", path, data, kind)
    if unit is None or "dry_run" in url.query:
        return
    HEARD.append(
        Heard(
            unit,
            client_of(str(request.headers.get("User-Agent"))),
            _language(kind, bool(data)),
            _language(answer.headers.get("Content-Type", ""), bool(answer.content)),
            answer.status_code,
        )
    )

# SPDX-License-Identifier: Apache-2.0
"""What a guest does with a signed request: it has nothing else to be let in by.

Only the standard library is needed here, and its half that speaks HTTP is loaded when
something is carried. Nobody is asked but whom the URL names: no proxy of the
environment, and no redirect is followed.
"""

import contextlib
import os
import socket
import threading
import time
import typing
import urllib.parse

from trove import errors
from trove.storage.vault.protocol import Signed

if typing.TYPE_CHECKING:
    import http.client
    import ssl

QUIET = 20.0
"""Seconds for a connection to each address of a name, and for the next bytes. How long
it is looked up is the resolver's to say."""
BLOCK = 1 << 18
"""Bytes that are sent at once."""

Body = bytes | typing.Sequence[bytes]
"""An object's bytes, or the pieces of it: they are not copied together for this."""


class Taken(errors.Clash):
    """The object is there already, of this request's first try or of another."""

    sentence = "There is an object of that name already."


def put(
    signed: Signed,
    data: Body,
    timeout: float,
    *,
    authorities: str = "",
    files: bool = False,
) -> None:
    """Brings an object, in ``timeout`` seconds at most.

    Raises ``Taken`` where the store writes none twice, ``errors.Forbidden`` when the
    URL has ended, ``errors.Unavailable`` when it is worth another try. ``authorities``:
    CA certificates (PEM) that a store may have beside those that the machine trusts.
    ``files``: whether a ``file:`` URL is one.
    """
    if files and signed.url.startswith("file:"):
        _write(signed.url, b"".join(_pieces(data)))
        return
    with _asked("PUT", signed, timeout, authorities, _pieces(data)) as said:
        if said.status not in (200, 201):
            raise _refusal(said.status)


def get(
    signed: Signed,
    size: int,
    timeout: float,
    *,
    authorities: str = "",
    files: bool = False,
) -> bytes:
    """All of an object of ``size`` bytes, or of a range of it, if the request says one;
    another number of bytes is ``errors.Upstream``.

    ``errors.NotFound`` when there is none; everything else as ``put``.
    """
    if files and signed.url.startswith("file:"):
        return _sized(_read(signed.url, size + 1), size)
    with _asked("GET", signed, timeout, authorities) as said:
        if said.status != (206 if "Range" in signed.headers else 200):
            raise _refusal(said.status)
        if said.length not in (size, None):
            raise _another(size)
        found = said.read(size + 1)
    if len(found) < size:
        raise errors.Unavailable(what="The object store (it broke off)")
    return _sized(found, size)


def _sized(found: bytes, size: int) -> bytes:
    if len(found) != size:
        raise _another(size)
    return found


def _another(size: int) -> errors.Upstream:
    return errors.Upstream(why=f"the object is not of {size} B")


def _refusal(status: int) -> errors.TroveError:
    if status in (409, 412):
        return Taken()
    if status in (401, 403):
        return errors.Forbidden(what="use that URL of the object store, any more")
    if status == 404:
        return errors.NotFound("The object store has no such object.")
    if status in (408, 429) or status >= 500:
        return errors.Unavailable(what=f"The object store ({status})")
    return errors.Upstream(why=f"the object store answered {status}")


# -- over HTTP --


@contextlib.contextmanager
def _asked(
    verb: str,
    signed: Signed,
    timeout: float,
    authorities: str,
    pieces: typing.Sequence[bytes] = (),
) -> typing.Iterator["http.client.HTTPResponse"]:
    """One request, and its answer as long as the block; trouble with the connection,
    and the end of the time, are ``errors.Unavailable``."""
    import http.client

    until = time.monotonic() + timeout
    where, connection = _connection(signed.url, min(timeout, QUIET), authorities)
    what = f"The object store at {where.hostname}"
    try:
        connection.connect()
        with _cut(connection.sock, until) as late:
            try:
                with _answer(connection, verb, where, signed.headers, pieces) as said:
                    yield said
            finally:
                if late.is_set():
                    # also when all seems well: what was cut off looks like an end
                    raise errors.Unavailable(what=f"{what} (after {timeout:g} s)")
    except (OSError, http.client.HTTPException) as error:
        # not its own words: they may repeat what was asked for
        why = type(error).__name__
        raise errors.Unavailable(what=f"{what} ({why})") from None
    finally:
        connection.close()


def _connection(
    url: str, timeout: float, authorities: str
) -> tuple[urllib.parse.SplitResult, "http.client.HTTPConnection"]:
    import http.client

    try:
        where = urllib.parse.urlsplit(url)
        host, port = where.hostname, where.port
    except ValueError:
        host, port = None, None
    # what is no URL would be another request
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise errors.Invalid(why="that is no address of an object store")
    if where.scheme == "http":
        return where, http.client.HTTPConnection(
            host, port, timeout=timeout, blocksize=BLOCK
        )
    if where.scheme != "https":
        raise errors.Invalid(why="that is no address of an object store")
    return where, http.client.HTTPSConnection(
        host, port, timeout=timeout, blocksize=BLOCK, context=believing(authorities)
    )


def believing(authorities: str) -> "ssl.SSLContext":
    """TLS with whom the machine trusts, and with these (PEM);
    ``errors.Invalid`` for what is none."""
    import ssl

    context = ssl.create_default_context()
    if authorities:
        try:
            context.load_verify_locations(cadata=authorities)
        except (OSError, ValueError):
            why = "those are no certificates of authorities"
            raise errors.Invalid(why=why) from None
    return context


def _answer(
    connection: "http.client.HTTPConnection",
    verb: str,
    where: urllib.parse.SplitResult,
    headers: dict[str, str],
    pieces: typing.Sequence[bytes],
) -> "http.client.HTTPResponse":
    target = urllib.parse.urlunsplit(("", "", where.path or "/", where.query, ""))
    words = {**headers, "Connection": "close"}
    if verb == "PUT":
        words["Content-Length"] = str(sum(map(len, pieces)))
    body = _blocks(pieces) if pieces else None
    # who refuses need not hear all of it: what it said is in its answer
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(verb, target, body=body, headers=words)
    return connection.getresponse()


def _pieces(data: Body) -> typing.Sequence[bytes]:
    return (data,) if isinstance(data, bytes) else data


def _blocks(pieces: typing.Sequence[bytes]) -> typing.Iterator[memoryview]:
    """Each has its own time to be sent in; nothing is copied for that."""
    for piece in pieces:
        whole = memoryview(piece)
        for at in range(0, len(whole), BLOCK):
            yield whole[at : at + BLOCK]


@contextlib.contextmanager
def _cut(sock: socket.socket, until: float) -> typing.Iterator[threading.Event]:
    """Ends a connection at that moment, whatever is waited for; is set when it did.

    A time-out of the socket's is for the next bytes only, of which a server can send
    one at a time.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        # not TLS's own: that would let the rest be read as it is, encrypted
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    timer = threading.Timer(max(until - time.monotonic(), 0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


# -- in a directory --


def _place(url: str) -> tuple[str, str]:
    where = urllib.parse.urlsplit(url)
    folder, name = os.path.split(urllib.parse.unquote(where.path))
    if where.netloc or where.query or where.fragment or not folder or not name:
        raise errors.Invalid(why="that is no file's address")
    return folder, name


def _write(url: str, data: bytes) -> None:
    from trove.storage.vault import files

    folder, name = _place(url)
    with files.told(), files.top(folder) as at:
        try:
            files.write(at, name, data, anew=True)
        except FileExistsError:
            raise Taken() from None


def _read(url: str, most: int) -> bytes:
    from trove.storage.vault import files

    folder, name = _place(url)
    with files.told(), files.top(folder) as at, files.reading(at, name) as file:
        return file.read(most)

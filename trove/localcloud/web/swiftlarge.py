# SPDX-License-Identifier: Apache-2.0
"""Large objects: static ones, which list their segments, and dynamic ones."""

import hashlib
import io
import json
import typing

import webob
import webob.exc

from trove.localcloud import objects

MOST = 1000
LARGEST = 8 << 20
BLOCK = 1 << 16


def static(
    store: objects.Objects, account: str, request: webob.Request
) -> objects.Object:
    """The object that a manifest makes: every segment is there, as it says."""
    if (request.content_length or 0) > LARGEST:
        raise webob.exc.HTTPRequestEntityTooLarge()
    segments, together, size = [], hashlib.md5(usedforsecurity=False), 0
    for asked in _manifest(request.body):
        container, _, name = str(asked.get("path", "")).lstrip("/").partition("/")
        found = store.find(account, container, name)
        etag, length = asked.get("etag"), asked.get("size_bytes")
        if found is None or found.segments is not None:
            raise webob.exc.HTTPBadRequest(f"Errors: {asked.get('path')}, 404")
        if etag not in (None, found.etag) or length not in (None, found.bytes):
            raise webob.exc.HTTPBadRequest(f"Errors: {asked['path']}, Etag Mismatch")
        together.update(found.etag.encode())
        size += found.bytes
        segments.append(
            {
                "name": f"/{container}/{name}",
                "hash": found.etag,
                "bytes": found.bytes,
                "content_type": found.type,
            }
        )
    file, _ = store.receive(io.BytesIO(), 0)
    return objects.Object(
        name="",
        file=file,
        bytes=size,
        etag=together.hexdigest(),
        type=request.headers.get("Content-Type") or "application/octet-stream",
        modified=store.now(),
        segments=segments,
    )


def _manifest(body: bytes) -> list[dict[str, typing.Any]]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    whole = isinstance(said, list) and 0 < len(said) <= MOST
    if not whole or not all(isinstance(each, dict) for each in said):
        raise webob.exc.HTTPBadRequest("Manifest must be valid JSON.")
    return typing.cast(list[dict[str, typing.Any]], said)


def pieces(
    store: objects.Objects, account: str, whole: objects.Object
) -> list[objects.Object]:
    """What an object's bytes are made of."""
    if whole.manifest is not None:
        container, _, prefix = whole.manifest.partition("/")
        listed = store.listed(account, container, objects.Asked(prefix=prefix))
        return [one for one in listed if isinstance(one, objects.Object)]
    if whole.segments is None:
        return [whole]
    found = []
    for segment in whole.segments:
        container, _, name = segment["name"].lstrip("/").partition("/")
        one = store.find(account, container, name)
        if one is None or one.etag != segment["hash"]:
            raise webob.exc.HTTPConflict("a segment is missing, or is another")
        found.append(one)
    return found


class Body:
    """The bytes of some objects, one after the other; a range of them on request."""

    def __init__(self, store: objects.Objects, pieces: list[objects.Object]) -> None:
        self._store, self._pieces = store, pieces

    def __iter__(self) -> typing.Iterator[bytes]:
        return self.app_iter_range(0, None)

    def app_iter_range(self, start: int, stop: int | None) -> typing.Iterator[bytes]:
        """From ``start`` up to before ``stop``; webob's protocol for ranges."""
        at = 0
        for piece in self._pieces:
            first = max(start - at, 0)
            last = piece.bytes if stop is None else min(stop - at, piece.bytes)
            if first < last:
                yield from _read(self._store.path(piece), first, last)
            at += piece.bytes


def _read(path: typing.Any, first: int, last: int) -> typing.Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while first < last and (block := file.read(min(BLOCK, last - first))):
            first += len(block)
            yield block

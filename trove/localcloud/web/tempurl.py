# SPDX-License-Identifier: Apache-2.0
"""URLs that are good for a while, for one object or for a prefix (Swift's TempURL)."""

import base64
import binascii
import datetime
import hmac
import re
import urllib.parse

import webob

DIGESTS = frozenset({"sha256", "sha512"})
LENGTHS = {64: "sha256", 128: "sha512"}
WORDS = ("temp_url_sig", "temp_url_expires", "temp_url_prefix", "filename")
INSTEAD = {"HEAD": ("HEAD", "GET", "PUT", "POST")}
"""By which other methods' signatures a method is allowed."""


def good(request: webob.Request, keys: list[str], now: float) -> bool:
    """Whether a request's signature is of one of the keys, for it, and not too old."""
    said = request.GET
    expires = _moment(said.get("temp_url_expires", ""))
    signature = _signature(said["temp_url_sig"])
    if expires is None or expires <= now or signature is None:
        return False
    path, prefix = request.path_info, said.get("temp_url_prefix")
    if prefix is not None:
        base = "/".join(path.split("/", 4)[:4]) + "/" + prefix
        if not path.startswith(base):
            return False
        path = f"prefix:{base}"
    digest, given = signature
    return any(
        hmac.compare_digest(
            hmac.digest(key.encode(), f"{method}\n{expires}\n{path}".encode(), digest),
            given,
        )
        for key in keys
        for method in INSTEAD.get(request.method, (request.method,))
    )


def own(request: webob.Request) -> str:
    """The query without what nobody signed."""
    said = {name: value for name, value in request.GET.items() if name in WORDS}
    return urllib.parse.urlencode(said)


def _moment(text: str) -> int | None:
    if re.fullmatch(r"[0-9]{1,12}", text):
        return int(text)
    try:
        found = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return None
    return int(found.replace(tzinfo=datetime.UTC).timestamp())


def _signature(text: str) -> tuple[str, bytes] | None:
    """In hexadecimal digits, or as ``digest:base64``."""
    name, colon, rest = text.partition(":")
    try:
        if colon:
            given = base64.b64decode(rest + "=" * (-len(rest) % 4), altchars=b"-_")
            return (name, given) if name in DIGESTS else None
        digest = LENGTHS.get(len(text))
        return (digest, bytes.fromhex(text)) if digest else None
    except (ValueError, binascii.Error):
        return None

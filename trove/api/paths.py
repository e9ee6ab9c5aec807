# SPDX-License-Identifier: Apache-2.0
"""The path of a request as the client wrote it, in segments.

WSGI decodes a path before anybody can split it, so that ``a%2Fb`` would be two
segments. Servers leave the original (``RAW_URI``, ``REQUEST_URI``, in eventlet
``RAW_PATH_INFO``); it is used when it says the same as what WSGI decoded, so that
nobody is routed by one path and guarded by another.
"""

import urllib.parse

from trove import errors

RAW = ("RAW_URI", "REQUEST_URI", "RAW_PATH_INFO")
LONGEST = 2048


def segments(environ: dict[str, object]) -> list[str]:
    """Below the application's root, decoded one by one; a slash at the end is nothing.

    Raises ``errors.NotFound`` for what no name can be.
    """
    raw = _raw(environ)
    parts = raw.split("/")[1:]
    if parts and parts[-1] == "":
        parts.pop()
    try:
        return [_decoded(part) for part in parts]
    except UnicodeDecodeError:
        raise _nothing() from None


def quoted(environ: dict[str, object]) -> str:
    """The same, as it was quoted."""
    return _raw(environ)


def _raw(environ: dict[str, object]) -> str:
    root = str(environ.get("SCRIPT_NAME") or "")
    decoded = str(environ.get("PATH_INFO") or "/")
    for name in RAW:
        given = environ.get(name)
        if not isinstance(given, str) or not given:
            continue
        path = given.split("?", 1)[0].split("#", 1)[0]
        if not path.startswith("/"):
            # a request may name scheme and host before the path
            path = "/" + path.partition("://")[2].partition("/")[2]
        plain = urllib.parse.unquote(path, encoding="latin-1")
        if plain == decoded:
            return path
        if root and plain == root + decoded and path.startswith(root):
            return path[len(root) :]
    return urllib.parse.quote(decoded, safe="/", encoding="latin-1")


def _decoded(part: str) -> str:
    text = urllib.parse.unquote_to_bytes(part.encode("latin-1")).decode("utf-8")
    if "\x00" in text or len(text) > LONGEST:
        raise _nothing()
    return text


def _nothing() -> errors.NotFound:
    return errors.NotFound("The resource could not be found.")

# SPDX-License-Identifier: Apache-2.0
"""Family to HTTP status, and the fault's body: the only place that knows both.

An error is found by ``isinstance``, so none is forgotten. ``body`` is the one envelope
of every error: a single key that names the class, with ``code`` and ``message`` in it.
"""

import typing

from trove import errors


class MethodNotAllowed(errors.TroveError):
    """The path exists; the method does not."""

    sentence = "{method} is not possible here; only {allow} are."


class UnsupportedMediaType(errors.TroveError):
    """The body is of a kind that nobody here reads."""

    sentence = "The body must be application/json or application/xml."


class Unauthorized(errors.TroveError):
    """Nobody vouches for the caller."""

    sentence = "The request you have made requires authentication."


STATUS: dict[type[errors.TroveError], int] = {
    errors.Invalid: 400,
    Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    MethodNotAllowed: 405,
    errors.Clash: 409,
    errors.OverLimit: 413,
    UnsupportedMediaType: 415,
    errors.Conflict: 422,
    errors.Unsupported: 501,
    errors.Upstream: 502,
    errors.Unavailable: 503,
    errors.TroveError: 500,
}

KEYS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflict",
    413: "overLimit",
    415: "badMediaType",
    422: "unprocessableEntity",
    500: "instanceFault",
    501: "notImplemented",
    502: "badGateway",
    503: "serviceUnavailable",
}

SENTENCES = {
    400: "The request is not valid.",
    401: Unauthorized.sentence,
    403: "You are not allowed to do this.",
    404: "The resource could not be found.",
    405: "The method is not possible here.",
    413: "The request is too large.",
    415: UnsupportedMediaType.sentence,
    500: "The service failed unexpectedly. ({request_id})",
    503: "The service cannot answer at the moment; try again later.",
}
"""For errors that came without a sentence of ours (other people's middleware)."""

ENGINE_FAILED = (
    "The database engine of the instance did not do this; try again later. "
    "Its error log may say why. ({request_id})"
)


def status_of(error: errors.TroveError) -> int:
    """The HTTP status of an error's family."""
    return next(code for family, code in STATUS.items() if isinstance(error, family))


def key_of(status: int) -> str:
    """The name of the envelope."""
    return KEYS.get(status, "badRequest" if status < 500 else "instanceFault")


def sentence_of(status: int, request_id: str) -> str:
    """What to say when nobody said anything fit for a caller."""
    general = SENTENCES.get(status, SENTENCES[400 if status < 500 else 500])
    return general.format(request_id=request_id)


def body(status: int, message: str, **more: str) -> dict[str, typing.Any]:
    """The envelope; ``more`` are the rate limiter's details."""
    return {key_of(status): {"code": status, "message": message, **more}}


def described(
    error: errors.TroveError, request_id: str
) -> tuple[int, dict[str, typing.Any], dict[str, str]]:
    """Status, envelope and headers of an error of ours."""
    status = status_of(error)
    if status == 500:
        # what broke inside is for the log
        return status, body(status, sentence_of(status, request_id)), {}
    if isinstance(error, errors.EngineFailed):
        return status, body(status, ENGINE_FAILED.format(request_id=request_id)), {}
    headers: dict[str, str] = {}
    more: dict[str, str] = {}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = str(error.facts["allow"])
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = more["retryAfter"] = str(error.facts["retry_after"])
        more = {"details": str(error.facts["details"]), **more}
    return status, body(status, error.message, **more), headers

# SPDX-License-Identifier: Apache-2.0
"""Barbican: secrets of a project, stored, listed, read and deleted.

What it does was seen of the real one, which the same tests are run against
(``tests/contract/keymanager``). A payload is sealed in its row: whoever reads the rows
reads no secret.
"""

import base64
import binascii
import datetime
import typing
import urllib.parse
import uuid

import webob

from trove.localcloud import things
from trove.localcloud.web import calls

TEXTS = ("text/plain", "text/plain;charset=utf-8", "text/plain; charset=utf-8")
BINARIES = ("application/octet-stream", "application/pkcs8")
TYPES = ("symmetric", "passphrase", "private", "public", "certificate", "opaque")
PLAIN = ("name", "algorithm", "mode", "expiration")
LARGEST = 20_000
MOST = 100

View = dict[str, typing.Any]


def create(call: calls.Call) -> calls.Answer:
    """POST /v1/secrets"""
    _admit(call, "Secret creation")
    if call.request.content_type != "application/json":
        raise calls.Fault(415, "Unexpected content type.")
    if (call.request.content_length or 0) > LARGEST * 3 // 2:
        raise calls.Fault(400, "Malformed JSON")
    try:
        body = call.body()
    except calls.Fault:
        raise calls.Fault(400, "Malformed JSON") from None
    _check(body)
    row = things.Secret(
        id=str(uuid.uuid4()),
        project=call.project,
        name=str(body.get("name") or ""),
        created=0,
        updated=0,
        creator=call.user,
        type=body.get("secret_type") or "opaque",
        about={key: body.get(key) for key in (*PLAIN, "bit_length")},
    )
    if "payload" in body:
        _put(call, row, _payload(body), body["payload_content_type"])
    with call.cloud.store.transaction() as tx:
        row.created = tx.now()
        tx.put(row)
    href = _href(call, row)
    response = webob.Response(status=201, json={"secret_ref": href})
    response.headers["Location"] = href
    return response


def fill(call: calls.Call, id: str) -> None:
    """PUT /v1/secrets/{id}: the payload of one that has none."""
    row = _mine(call, id, "Secret update")
    kind = call.request.headers.get("Content-Type", "")
    if kind not in (*TEXTS, *BINARIES):
        raise calls.Fault(415, "Unexpected content type.")
    if row.payload is not None:
        raise calls.Fault(409, "Secret already has data, cannot modify it.")
    data = call.request.body
    if call.request.headers.get("Content-Encoding") == "base64":
        data = base64.b64decode(data)
    _put(call, row, data, kind)
    with call.cloud.store.transaction() as tx:
        tx.put(row)


def index(call: calls.Call) -> calls.Answer:
    """GET /v1/secrets"""
    _admit(call, "Secret(s) retrieval")
    asked = call.request.GET
    with call.cloud.store.transaction() as tx:
        rows = [
            row
            for row in tx.all(things.Secret)
            if row.project == call.project
            and asked.get("name") in (None, row.name)
            and not _over(row, tx.now())
        ]
    limit = min(_number(asked.get("limit")) or 10, MOST)
    offset = _number(asked.get("offset")) or 0
    said: View = {
        "secrets": [_view(call, row) for row in rows[offset : offset + limit]],
        "total": len(rows),
    }
    if offset + limit < len(rows):
        said["next"] = _page(call, limit, offset + limit)
    if offset:
        said["previous"] = _page(call, limit, max(0, offset - limit))
    return said


def show(call: calls.Call, id: str) -> calls.Answer:
    """GET /v1/secrets/{id}; by another than JSON, the payload, as ever"""
    row = _mine(call, id, "Secret retrieval", admins=True)
    accept = call.request.headers.get("Accept", "*/*")
    if accept not in ("*/*", "application/json"):
        return payload(call, id)
    return _view(call, row)


def payload(call: calls.Call, id: str) -> calls.Answer:
    """GET /v1/secrets/{id}/payload: its bytes, called what they were asked for as"""
    row = _mine(call, id, "Secret payload retrieval")
    if row.payload is None:
        raise calls.Fault(404, "Not Found. Sorry but your secret has no payload.")
    body = call.cloud.seal.decrypt(row.payload.encode())
    kind = call.request.headers.get("Accept", "*/*").partition(",")[0]
    response = webob.Response(body=body, charset=None)
    response.headers["Content-Type"] = (
        f"{kind}; charset=UTF-8" if kind.startswith("text/") else kind
    )
    return response


def delete(call: calls.Call, id: str) -> None:
    """DELETE /v1/secrets/{id}"""
    row = _mine(call, id, "Secret deletion", admins=True)
    with call.cloud.store.transaction() as tx:
        tx.drop(row)


# -- inside -------------------------------------------------------------------------


def _admit(call: calls.Call, what: str) -> None:
    """Readers read no secrets, not even their names."""
    if not call.roles & {"admin", "creator", "member"}:
        raise _forbidden(what)


def _forbidden(what: str) -> calls.Fault:
    return calls.Fault(
        403,
        f"{what} attempt not allowed - please review your user/project privileges",
    )


def _mine(
    call: calls.Call, id: str, what: str, *, admins: bool = False
) -> things.Secret:
    with call.cloud.store.transaction() as tx:
        row = tx.get(things.Secret, id)
        over = row is not None and _over(row, tx.now())
    if row is None or over:
        raise calls.Fault(404, "Secret not found.")
    _admit(call, what)
    # an administrator of another project may see that it is there, and delete it
    if row.project != call.project and not (admins and call.admin):
        raise _forbidden(what)
    return row


def _check(body: View) -> None:
    for key in (*PLAIN, "secret_type", "payload_content_type"):
        if not isinstance(body.get(key), str | None):
            raise _refused(f"{body[key]!r} is not of type 'string', 'null'", key)
    if body.get("secret_type") not in (None, *TYPES):
        raise _refused(f"it is not one of {list(TYPES)}", "secret_type")
    if (ends := body.get("expiration")) is not None and _moment(ends) <= _now():
        raise _refused("'expiration' is before current time", "expiration")
    if "payload" not in body:
        return
    kind = body.get("payload_content_type")
    if not kind:
        raise _refused("'payload_content_type' must also be supplied", "payload")
    if kind not in (*TEXTS, *BINARIES):
        known = [*TEXTS, *BINARIES]
        raise _refused(f"it is not one of {known}", "payload_content_type")
    if not isinstance(body["payload"], str) or not body["payload"].strip():
        raise _refused("If 'payload' specified, must be non empty", "payload")
    if kind in BINARIES and body.get("payload_content_encoding") != "base64":
        raise _refused("it is not one of ['base64']", "payload_content_encoding")


def _refused(why: str, key: str) -> calls.Fault:
    said = f"Provided object does not match schema 'Secret': {why}."
    return calls.Fault(400, f"{said} Invalid property: '{key}'")


def _payload(body: View) -> bytes:
    text: str = body["payload"]
    if body["payload_content_type"] in TEXTS:
        return text.strip().encode()
    try:
        return base64.b64decode(text)
    except binascii.Error:
        raise _refused("it is not base64", "payload") from None


def _put(call: calls.Call, row: things.Secret, data: bytes, kind: str) -> None:
    if len(data) > LARGEST:
        raise calls.Fault(413, "Provided information too large to process")
    row.payload = call.cloud.seal.encrypt(data).decode()
    row.content_type = "text/plain" if kind in TEXTS else kind


def _view(call: calls.Call, row: things.Secret) -> View:
    said: View = {
        "created": calls.iso(row.created, calls.MICROSECONDS),
        "updated": calls.iso(row.updated, calls.MICROSECONDS),
        "status": "ACTIVE",
        "secret_type": row.type,
        "creator_id": row.creator,
        "secret_ref": _href(call, row),
        **row.about,
    }
    if row.content_type is not None:
        said["content_types"] = {"default": row.content_type}
    return said


def _href(call: calls.Call, row: things.Secret) -> str:
    return call.url("v1", "secrets", row.id)


def _page(call: calls.Call, limit: int, offset: int) -> str:
    query = urllib.parse.urlencode({"limit": limit, "offset": offset})
    return f"{call.url('v1', 'secrets')}?{query}"


def _number(text: str | None) -> int:
    """What is no number counts as none."""
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _now() -> float:
    return datetime.datetime.now(datetime.UTC).timestamp()


def _moment(text: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise _refused("it is no date", "expiration") from None
    return moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp()


def _over(row: things.Secret, now: float) -> bool:
    ends = row.about.get("expiration")
    return ends is not None and _moment(ends) <= now


ROUTES = (
    calls.route("POST", "v1/secrets", create),
    calls.route("GET", "v1/secrets", index),
    calls.route("GET", "v1/secrets/{id}", show),
    calls.route("PUT", "v1/secrets/{id}", fill, 204),
    calls.route("DELETE", "v1/secrets/{id}", delete, 204),
    calls.route("GET", "v1/secrets/{id}/payload", payload),
)

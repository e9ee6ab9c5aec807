# SPDX-License-Identifier: Apache-2.0
"""Swift: accounts, containers, objects, large objects, and URLs that are good a while.

It has a port of its own, on the guests' network: of all services it is the one that
guests talk to. They have no token, but a URL signed with a key of the account or the
container (Swift's TempURL middleware).
"""

import dataclasses
import datetime
import email.utils
import re
import typing
import urllib.parse

import webob
import webob.exc

from trove.localcloud import objects
from trove.localcloud.web import swiftlarge, tempurl

LARGEST = 5 << 30
LONGEST = 1024
NAME = re.compile(r"[^\x00-\x1f\x7f]+")
KEPT = ("Content-Encoding", "Content-Disposition", "Cache-Control")
INFO = {
    "swift": {
        "version": "2.37.0",
        "max_file_size": LARGEST,
        "max_object_name_length": LONGEST,
        "container_listing_limit": objects.MOST_LISTED,
    },
    "slo": {"max_manifest_segments": 1000, "min_segment_size": 1},
    "tempurl": {
        "methods": ["GET", "HEAD", "PUT", "POST", "DELETE"],
        "allowed_digests": sorted(tempurl.DIGESTS),
    },
}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What a path names: an account, perhaps a container, perhaps an object."""

    account: str
    container: str = ""
    object: str = ""

    @property
    def level(self) -> str:
        return "Object" if self.object else "Container" if self.container else "Account"


def place(path: str) -> Place | None:
    """Of ``/v1/AUTH_project/container/object``."""
    parts = path.lstrip("/").split("/", 3)
    if len(parts) < 2 or parts[0] != "v1" or not parts[1].startswith("AUTH_"):
        return None
    parts += [""] * (4 - len(parts))
    return Place(*parts[1:])


class Application:
    """The store over HTTP; who asks is known from Keystone's headers, if he said."""

    def __init__(self, store: objects.Objects) -> None:
        self._store = store

    def __call__(
        self, environ: dict[str, typing.Any], start_response: typing.Any
    ) -> typing.Any:
        request = webob.Request(environ)
        try:
            response = self._answer(request)
        except webob.exc.HTTPException as refusal:
            response = refusal
        response.headers["X-Trans-Id"] = f"tx{id(request):x}"
        return response(environ, start_response)

    def _answer(self, request: webob.Request) -> webob.Response:
        if request.path_info == "/info":
            return webob.Response(json=INFO)
        where = place(request.path_info)
        if where is None:
            raise webob.exc.HTTPNotFound()
        self._admit(request, where)
        method = "GET" if request.method == "HEAD" else request.method
        deed = getattr(self, f"_{method.lower()}_{where.level.lower()}", None)
        if deed is None:
            raise webob.exc.HTTPMethodNotAllowed()
        if (
            where.object
            and self._store.container(where.account, where.container) is None
        ):
            raise webob.exc.HTTPNotFound()
        return typing.cast(webob.Response, deed(request, where))

    def _admit(self, request: webob.Request, where: Place) -> None:
        if "temp_url_sig" in request.GET:
            if not where.object or not tempurl.good(
                request, self._keys(where), self._store.now()
            ):
                raise webob.exc.HTTPUnauthorized("Temp URL invalid")
            if request.headers.get("X-Object-Manifest"):
                # it would let the bearer read what the URL does not name
                raise webob.exc.HTTPBadRequest("not allowed with a temporary URL")
            # nor does the query: it makes no large object of what others brought
            request.query_string = tempurl.own(request)
            return
        headers = request.headers
        if headers.get("X-Identity-Status") != "Confirmed":
            raise webob.exc.HTTPUnauthorized()
        roles = {role.strip().lower() for role in headers.get("X-Roles", "").split(",")}
        own = where.account == f"AUTH_{headers.get('X-Project-Id', '')}"
        looks = request.method in ("GET", "HEAD")
        allowed = {"member", "service"} | ({"reader"} if looks else set())
        if not ("admin" in roles or (own and roles & allowed)):
            raise webob.exc.HTTPForbidden()

    def _keys(self, where: Place) -> list[str]:
        container = self._store.container(where.account, where.container)
        said = [self._store.account(where.account)]
        if container is not None:
            said.append(container.meta)
        names = ("Temp-Url-Key", "Temp-Url-Key-2")
        return [meta[name] for meta in said for name in names if meta.get(name)]

    # -- accounts

    def _get_account(self, request: webob.Request, where: Place) -> webob.Response:
        found = self._store.containers(where.account)
        headers = {
            "X-Account-Container-Count": str(len(found)),
            "X-Account-Object-Count": str(sum(one.count for one in found)),
            "X-Account-Bytes-Used": str(sum(one.bytes for one in found)),
            **_told("X-Account-Meta-", self._store.account(where.account)),
        }
        asked = _asked(request)
        rows = [
            {"name": one.name, "count": one.count, "bytes": one.bytes}
            for one in found
            if one.name > asked.marker and one.name.startswith(asked.prefix)
        ]
        return _list(request, rows[: asked.limit], headers)

    def _post_account(self, request: webob.Request, where: Place) -> webob.Response:
        self._store.describe_account(where.account, _meta(request, "X-Account-Meta-"))
        return webob.Response(status=204)

    # -- containers

    def _put_container(self, request: webob.Request, where: Place) -> webob.Response:
        if len(where.container) > 256 or not NAME.fullmatch(where.container):
            raise webob.exc.HTTPBadRequest("the name of a container cannot be that")
        new = self._store.describe_container(
            where.account, where.container, _meta(request, "X-Container-Meta-")
        )
        return webob.Response(status=201 if new else 202)

    def _post_container(self, request: webob.Request, where: Place) -> webob.Response:
        self._container(where)
        self._store.describe_container(
            where.account, where.container, _meta(request, "X-Container-Meta-")
        )
        return webob.Response(status=204)

    def _get_container(self, request: webob.Request, where: Place) -> webob.Response:
        found = self._container(where)
        headers = {
            "X-Container-Object-Count": str(found.count),
            "X-Container-Bytes-Used": str(found.bytes),
            **_told("X-Container-Meta-", found.meta),
        }
        listed = self._store.listed(where.account, where.container, _asked(request))
        rows = [_row(one) for one in listed]
        return _list(request, rows, headers)

    def _delete_container(self, request: webob.Request, where: Place) -> webob.Response:
        if self._container(where).count:
            raise webob.exc.HTTPConflict("There was a conflict: it is not empty.")
        self._store.delete_container(where.account, where.container)
        return webob.Response(status=204)

    def _container(self, where: Place) -> objects.Container:
        found = self._store.container(where.account, where.container)
        if found is None:
            raise webob.exc.HTTPNotFound()
        return found

    # -- objects

    def _put_object(self, request: webob.Request, where: Place) -> webob.Response:
        if len(where.object.encode()) > LONGEST or not NAME.fullmatch(where.object):
            raise webob.exc.HTTPBadRequest("the name of an object cannot be that")
        length = request.content_length
        if length is None:
            raise webob.exc.HTTPLengthRequired()
        if length > LARGEST:
            raise webob.exc.HTTPRequestEntityTooLarge()
        if request.GET.get("multipart-manifest") == "put":
            made = swiftlarge.static(self._store, where.account, request)
        else:
            made = self._plain(request, length)
        made.name = where.object
        made.meta = _meta(request, "X-Object-Meta-") | {
            name: request.headers[name] for name in KEPT if name in request.headers
        }
        made.expires = _expiry(request, self._store.now())
        self._store.put(where.account, where.container, made)
        return webob.Response(
            status=201, headerlist=[("Etag", made.etag), _modified(made)]
        )

    def _plain(self, request: webob.Request, length: int) -> objects.Object:
        try:
            file, etag = self._store.receive(request.body_file_raw, length)
        except objects.Short:
            raise webob.exc.HTTPClientError("Client Disconnect") from None
        wanted = request.headers.get("Etag", "").strip('"').lower()
        if wanted and wanted != etag:
            self._store.drop(file)
            raise webob.exc.HTTPUnprocessableEntity("the ETag is another")
        manifest = request.headers.get("X-Object-Manifest")
        return objects.Object(
            name="",
            file=file,
            bytes=length,
            etag=etag,
            type=request.headers.get("Content-Type") or "application/octet-stream",
            modified=self._store.now(),
            manifest=urllib.parse.unquote(manifest) if manifest else None,
        )

    def _get_object(self, request: webob.Request, where: Place) -> webob.Response:
        found = self._object(where)
        if (
            request.GET.get("multipart-manifest") == "get"
            and found.segments is not None
        ):
            return webob.Response(json=found.segments)
        pieces = swiftlarge.pieces(self._store, where.account, found)
        size = sum(piece.bytes for piece in pieces)
        response = webob.Response(
            conditional_response=True,
            content_type=found.type.partition(";")[0],
            app_iter=swiftlarge.Body(self._store, pieces),
        )
        response.content_type = found.type
        response.content_length = size
        response.etag = found.etag
        response.accept_ranges = "bytes"
        response.headers.update(dict([_modified(found)]))
        response.headers["X-Timestamp"] = f"{found.modified:.5f}"
        for name, value in found.meta.items():
            known = name in KEPT
            response.headers[name if known else f"X-Object-Meta-{name}"] = value
        if found.segments is not None:
            response.headers["X-Static-Large-Object"] = "True"
        if found.manifest is not None:
            response.headers["X-Object-Manifest"] = urllib.parse.quote(found.manifest)
        if found.expires is not None:
            response.headers["X-Delete-At"] = str(int(found.expires))
        return response

    def _post_object(self, request: webob.Request, where: Place) -> webob.Response:
        found = self._object(where)
        found.meta = _meta(request, "X-Object-Meta-")
        found.expires = _expiry(request, self._store.now())
        self._store.put(where.account, where.container, found)
        return webob.Response(status=202)

    def _delete_object(self, request: webob.Request, where: Place) -> webob.Response:
        found = self._object(where)
        whole = request.GET.get("multipart-manifest") == "delete"
        for segment in (found.segments or ()) if whole else ():
            container, _, name = segment["name"].lstrip("/").partition("/")
            self._store.delete(where.account, container, name)
        self._store.delete(where.account, where.container, where.object)
        return webob.Response(status=204)

    def _object(self, where: Place) -> objects.Object:
        found = self._store.find(where.account, where.container, where.object)
        if found is None:
            raise webob.exc.HTTPNotFound()
        return found


# -- what is said on the wire ---------------------------------------------------------


def _meta(request: webob.Request, prefix: str) -> dict[str, str]:
    """What a request says of a thing; ``X-Remove-...`` takes it away."""
    said = {}
    for name, value in request.headers.items():
        name = name.title()
        if name.startswith(prefix):
            said[name.removeprefix(prefix)] = value
        elif name.startswith(removed := prefix.replace("X-", "X-Remove-", 1)):
            said[name.removeprefix(removed)] = ""
    return said


def _told(prefix: str, meta: dict[str, str]) -> dict[str, str]:
    return {prefix + name: value for name, value in meta.items()}


def _expiry(request: webob.Request, now: float) -> float | None:
    at, after = (request.headers.get(f"X-Delete-{word}") for word in ("At", "After"))
    try:
        if at:
            return float(int(at))
        return now + int(after) if after else None
    except ValueError:
        raise webob.exc.HTTPBadRequest("Non-integer X-Delete-After") from None


def _asked(request: webob.Request) -> objects.Asked:
    said = request.GET
    try:
        limit = int(said.get("limit") or objects.MOST_LISTED)
    except ValueError:
        raise webob.exc.HTTPPreconditionFailed("limit must be a number") from None
    if not 0 <= limit <= objects.MOST_LISTED:
        raise webob.exc.HTTPPreconditionFailed("Maximum limit is 10000")
    return objects.Asked(
        prefix=said.get("prefix", ""),
        delimiter=said.get("delimiter", ""),
        marker=said.get("marker", ""),
        end=said.get("end_marker", ""),
        limit=limit,
    )


def _row(one: objects.Object | str) -> dict[str, typing.Any]:
    if isinstance(one, str):
        return {"subdir": one}
    moment = datetime.datetime.fromtimestamp(one.modified, datetime.UTC)
    return {
        "name": one.name,
        "hash": one.etag,
        "bytes": one.bytes,
        "content_type": one.type,
        "last_modified": moment.strftime("%Y-%m-%dT%H:%M:%S.%f"),
    }


def _list(
    request: webob.Request, rows: list[dict[str, typing.Any]], headers: dict[str, str]
) -> webob.Response:
    as_json = request.GET.get("format") == "json" or (
        "json" in request.headers.get("Accept", "")
    )
    if as_json:
        response = webob.Response(json=rows)
    else:
        lines = "".join(f"{row.get('name') or row['subdir']}\n" for row in rows)
        response = webob.Response(lines, content_type="text/plain", charset="utf-8")
        response.status_int = 200 if rows else 204
    if request.method == "HEAD":
        response.status_int = 204
    response.headers.update(headers)
    return response


def _modified(one: objects.Object) -> tuple[str, str]:
    # whole seconds, rounded up: what is newer is never called older
    return "Last-Modified", email.utils.formatdate(
        -int(-one.modified // 1), usegmt=True
    )

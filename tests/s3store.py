# SPDX-License-Identifier: Apache-2.0
"""A store that speaks S3 on a port of its own, for as long as a test: moto's.

moto lets in whoever asks. So there is a front before it that does what S3 does: it
computes each request's signature again, from what has come, with botocore's own
signer, and looks whether a URL's time is over.
"""

import contextlib
import datetime
import hmac
import secrets
import threading
import time
import typing
import urllib.parse
import warnings

from botocore import auth, awsrequest, credentials
from werkzeug import Request, Response, serving

from trove.storage.vault.s3 import S3

REGION = "us-east-1"
ACCESS, SECRET = "AKIAUSEDBYTESTSONLY", "s3cr3t+" + secrets.token_hex(16)
REFUSAL = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    "<Error><Code>{code}</Code><Message>{code} of the test's store</Message></Error>"
)


Instead = typing.Callable[[Request], Response | None]


def refused(request: Request, status: int, code: str) -> Response | None:
    """As S3 says that it does not; None for no code."""
    if not code:
        return None
    body = "" if request.method == "HEAD" else REFUSAL.format(code=code)
    return Response(body, status, content_type="application/xml")


class Handler(serving.WSGIRequestHandler):
    """Says nothing."""

    def log(self, type, message, *args):
        pass


class Store:
    """A store that serves; ``asked`` is what it was asked: verbs and paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.instead: Instead | None = None
        """Called before the store is: what it answers, if it is something, counts."""
        self._behind, self._forget = _moto()
        self._server = serving.make_server(
            "127.0.0.1", 0, self._front, threaded=True, request_handler=Handler
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def vault(self, bucket: str, **about: typing.Any) -> S3:
        said = {
            "endpoint": self.url,
            "region": REGION,
            "access_key": ACCESS,
            "secret_key": SECRET,
            "bucket": bucket,
        }
        return S3(**{**said, **about})

    def _front(self, environ: dict[str, typing.Any], start: typing.Any) -> typing.Any:
        request = Request(environ)
        self.asked.append(f"{request.method} {request.path}")
        answer = self.instead(request) if self.instead else None
        if answer is None:
            answer = refused(request, *refusal(request, environ["RAW_URI"]))
        return (answer or self._behind)(environ, start)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._forget()


def _moto() -> tuple[typing.Any, typing.Callable[[], None]]:
    """Its application, and what empties it; loaded only where it is needed, for it is
    large."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own, when it is loaded
        from moto.moto_server import werkzeug_app
        from moto.s3.models import s3_backends
    made = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    return made, s3_backends.reset


def refusal(request: Request, target: str) -> tuple[int, str]:
    """The status and the code with which S3 refuses a request; 0 and "" if not."""
    said = claims(request, target)
    if said is None or said.ends <= time.time():
        return 403, "AccessDenied"
    if said.key.split("/")[0] != ACCESS:
        return 403, "InvalidAccessKeyId"
    if any(name not in request.headers for name in said.names):
        return 403, "SignatureDoesNotMatch"
    # S3 heeds none of its own headers that is not signed: one makes a copy of another
    if any(
        name.lower().startswith("x-amz-") and name.lower() not in said.names
        for name, _ in request.headers
    ):
        return 403, "AccessDenied"
    heard = awsrequest.AWSRequest(
        request.method,
        f"http://{request.host}{said.target}",
        {name: request.headers[name] for name in said.names},
    )
    heard.context["timestamp"] = said.moment
    region = said.key.split("/")[2]
    ours = said.signer(credentials.Credentials(ACCESS, SECRET), "s3", region)
    whole = ours.string_to_sign(heard, ours.canonical_request(heard))
    good = hmac.compare_digest(ours.signature(whole, heard), said.signature)
    return (0, "") if good else (403, "SignatureDoesNotMatch")


class Claims(typing.NamedTuple):
    """What a request says of its own signature."""

    signer: typing.Any
    target: str
    key: str
    moment: str
    names: list[str]
    signature: str
    ends: float = float("inf")


def claims(request: Request, target: str) -> Claims | None:
    """By its query, or by a header; None: by neither."""
    query = dict(urllib.parse.parse_qsl(request.query_string.decode()))
    if given := query.get("X-Amz-Signature"):
        moment = query["X-Amz-Date"]
        began = datetime.datetime.strptime(moment + "+0000", "%Y%m%dT%H%M%SZ%z")
        return Claims(
            auth.S3SigV4QueryAuth,
            target.replace(f"&X-Amz-Signature={given}", ""),
            query["X-Amz-Credential"],
            moment,
            query["X-Amz-SignedHeaders"].split(";"),
            given,
            began.timestamp() + int(query["X-Amz-Expires"]),
        )
    if text := request.headers.get("Authorization"):
        words = text.removeprefix("AWS4-HMAC-SHA256 ").split(", ")
        said = dict(word.split("=", 1) for word in words)
        return Claims(
            auth.S3SigV4Auth,
            target,
            said["Credential"],
            request.headers["X-Amz-Date"],
            said["SignedHeaders"].split(";"),
            said["Signature"],
        )
    return None


@contextlib.contextmanager
def running() -> typing.Iterator[Store]:
    """A store until the end of the block."""
    store = Store()
    try:
        yield store
    finally:
        store.close()

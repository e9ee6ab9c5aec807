# SPDX-License-Identifier: Apache-2.0
"""A vault in a bucket of a store that speaks S3, of which boto3 is the client.

boto3 is an extra (``s3``), so it is loaded when such a vault is opened, and only then.
A URL that writes carries ``If-None-Match: *`` in its signature: who holds it writes the
object once, and no other.
"""

import base64
import contextlib
import hashlib
import itertools
import logging
import typing

from trove import errors
from trove.storage import pages
from trove.storage.account import passes
from trove.storage.vault import names
from trove.storage.vault.protocol import Before, Signed, Stored, nothing

CONNECT, READ = 5.0, 20.0
"""Seconds to wait for a connection, and for the next bytes."""
ATTEMPTS = 3
PAGE = 1000
"""Objects of a list, and of a request to delete: S3 takes no more."""
ANEW = {"If-None-Match": "*"}


class S3:
    """One bucket. ``guests`` is the endpoint as guests reach it, where that differs:
    the host is part of a signature."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        path_style: bool = True,
        verify: bool | str = True,
        guests: str = "",
        before: Before = nothing,
    ) -> None:
        self._bucket, self._region = bucket, region
        self._before = before
        make, self._failures = _library(region, access_key, secret_key, path_style)
        self._silent = (
            self._failures.ConnectionError,
            self._failures.HTTPClientError,
            self._failures.IncompleteReadError,
        )
        self._client = make(endpoint, verify)
        self._signer = make(guests, verify) if guests else self._client

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()
        self._signer.close()

    def ensure(self) -> None:
        """The bucket is there."""
        try:
            with self._asking("Bucket", self._bucket):
                self._client.head_bucket(Bucket=self._bucket)
        except errors.NotFound:
            self._create()

    def _create(self) -> None:
        about: dict[str, typing.Any] = {}
        if self._region != "us-east-1":  # which S3 refuses to be told
            about["CreateBucketConfiguration"] = {"LocationConstraint": self._region}
        with self._asking("Bucket", self._bucket):
            # another may make it at the same moment
            with contextlib.suppress(self._client.exceptions.BucketAlreadyOwnedByYou):
                self._client.create_bucket(Bucket=self._bucket, **about)

    def writes(self, name: str, seconds: int) -> Signed:
        """A PUT of this object, for so long, unless there is one."""
        return self._signed("put_object", name, seconds, ANEW, IfNoneMatch="*")

    def reads(self, name: str, seconds: int) -> Signed:
        """A GET of this object, for so long."""
        return self._signed("get_object", name, seconds, {})

    def _signed(
        self, call: str, name: str, seconds: int, headers: dict[str, str], **more: str
    ) -> Signed:
        about = {"Bucket": self._bucket, "Key": names.checked(name), **more}
        url = self._signer.generate_presigned_url(call, about, ExpiresIn=seconds)
        return Signed(str(url), dict(headers))

    def put(self, name: str, data: bytes) -> None:
        """The object is these bytes; the store compares them with their MD5."""
        names.checked(name)
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        with self._asking("Object", name):
            self._client.put_object(
                Bucket=self._bucket,
                Key=name,
                Body=data,
                ContentMD5=base64.b64encode(md5).decode(),
            )

    def get(self, name: str, most: int) -> bytes:
        """All of an object, of which no more is read than ``most``."""
        names.checked(name)
        with self._asking("Object", name):
            said = self._client.get_object(Bucket=self._bucket, Key=name)
            with contextlib.closing(said["Body"]) as body:
                found = bytes(body.read(most + 1))
                announced = int(said["ContentLength"])
        if announced > most or len(found) > most:
            raise errors.Upstream(why=f"{name} is larger than {most} B")
        if len(found) < announced:  # which boto3 does not notice of a bounded read
            raise errors.Unavailable(what="The object store (it broke off)")
        return found

    def listed(self, prefix: str) -> typing.Iterator[Stored]:
        """What begins with this; the MD5 is the ETag of what was put at one go."""
        if prefix:
            names.prefix(prefix)
        return pages.through(lambda after: self._page(prefix, after))

    def _page(self, prefix: str, after: str) -> list[Stored]:
        about = {"StartAfter": after} if after else {}
        try:
            with self._asking("Bucket", self._bucket):
                said = self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=prefix, MaxKeys=PAGE, **about
                )
        except errors.NotFound:
            return []
        return [
            Stored(row["Key"], int(row["Size"]), row["ETag"].strip('"'))
            for row in said.get("Contents", ())
        ]

    def delete(self, prefixes: typing.Iterable[str]) -> None:
        """All that begins with one of these; nothing there is fine."""
        for prefix in list(map(names.prefix, prefixes)):
            rows = self.listed(prefix)
            while batch := [{"Key": row.name} for row in itertools.islice(rows, PAGE)]:
                self._delete(batch)

    def _delete(self, batch: list[dict[str, str]]) -> None:
        with self._asking("Bucket", self._bucket):
            said = self._client.delete_objects(
                Bucket=self._bucket, Delete={"Objects": batch, "Quiet": True}
            )
        # the whole of it succeeds where none of them did
        codes = {str(row.get("Code")) for row in said.get("Errors", ())}
        codes.discard("NoSuchKey")
        if "AccessDenied" in codes:
            raise errors.Forbidden(what="delete in the object store of this service")
        if codes:
            raise errors.Upstream(why=f"the object store answered {_word(codes.pop())}")

    def shut(self) -> None:
        """Nothing is to do: a URL writes what is not there, and gives it no end."""

    def end(self, prefix: str) -> None:
        """All of it; the bucket is everybody's."""
        self.delete([prefix])

    @contextlib.contextmanager
    def _asking(self, what: str, name: str) -> typing.Iterator[None]:
        """A failure leaves as an error of ours, without boto's words: they may repeat
        the request."""
        self._before()
        try:
            yield
        except self._failures.ClientError as error:
            raise _refusal(error.response, what, name) from None
        except (*self._silent, OSError) as error:
            why = type(error).__name__
            raise errors.Unavailable(what=f"The object store ({why})") from None
        except self._failures.BotoCoreError as error:
            raise errors.Upstream(why=f"boto3 says {type(error).__name__}") from None


def _refusal(said: dict[str, typing.Any], what: str, name: str) -> errors.TroveError:
    status = said.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in (401, 403):
        return errors.Forbidden(what="use the object store of this service")
    if status == 404:
        return errors.NotFound(what=what, id=name)
    if passes(status):
        return errors.Unavailable(what=f"The object store ({status})")
    code = _word(str(said.get("Error", {}).get("Code", "")))
    return errors.Upstream(why=f"the object store answered {status} {code}")


def _word(code: str) -> str:
    """A code as S3 has them; what is none may be anything."""
    return code if code.isascii() and code.isalnum() and len(code) < 64 else "(a code)"


def _library(
    region: str, access_key: str, secret_key: str, path_style: bool
) -> tuple[typing.Callable[[str, bool | str], typing.Any], typing.Any]:
    """What makes a client of an endpoint, and the module of boto's exceptions."""
    try:
        import boto3.session
        import botocore.config
        import botocore.exceptions
    except ImportError:
        raise errors.Unsupported(
            "A store of backups that speaks S3 needs boto3: install trove-dbaas[s3]."
        ) from None
    # what it says at DEBUG has signatures in it
    logging.getLogger("botocore").setLevel(logging.INFO)
    session = boto3.session.Session(access_key, secret_key, region_name=region)
    config = botocore.config.Config(
        signature_version="s3v4",
        connect_timeout=CONNECT,
        read_timeout=READ,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        proxies={},  # none that an operator did not name
        # stores that are not Amazon's know no other checksum than the MD5
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if path_style else "virtual"},
    )

    def make(endpoint: str, verify: bool | str) -> typing.Any:
        try:
            return session.client(
                "s3", endpoint_url=endpoint, verify=verify, config=config
            )
        except ValueError:
            raise errors.Invalid(why="the store of backups has no such URL") from None

    return make, botocore.exceptions

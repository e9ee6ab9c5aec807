# SPDX-License-Identifier: Apache-2.0
"""What a failed call to OpenStack means, as one of the protocol's classes.

The libraries each have their own exceptions; all that is asked of one is its HTTP
status, and the headers of the last reply. The table is operations.md's.
"""

import collections.abc
import email.utils
import re
import sys
import time

import urllib3.exceptions

from trove.cloud import protocol

Headers = collections.abc.Mapping[str, str]

_LIBRARIES = (
    ("keystoneauth1.exceptions", "ClientException"),
    ("novaclient.exceptions", "ClientException"),
    ("novaclient.exceptions", "UnsupportedAttribute"),
    ("cinderclient.exceptions", "ClientException"),
    ("openstack.exceptions", "SDKException"),
    ("castellan.common.exception", "CastellanException"),
    ("barbicanclient.exceptions", "BarbicanException"),
    ("barbicanclient.exceptions", "HTTPError"),
    ("requests.exceptions", "RequestException"),
)
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What the libraries raise when a 2xx reply is cut short or is no JSON at all."""

_ID = re.compile(r"[A-Za-z0-9_.\- ]{1,255}")


def expected(headers: Headers) -> tuple[type[BaseException], ...]:
    """What a call may raise: only a library that was imported can have raised.

    Before there was a reply, nothing can be unreadable: then it is an error of ours,
    which must not be taken for one of the cloud's.
    """
    classes = [
        getattr(sys.modules[module], name)
        for module, name in _LIBRARIES
        if module in sys.modules
    ]
    return (*classes, *_UNREADABLE) if headers else tuple(classes)


def meaning(
    error: BaseException, what: str, headers: Headers, *, making: bool
) -> protocol.Passing | protocol.Refused:
    """The class of a failure. ``making``: the call would have made something."""
    status = _status(error)
    after = _retry_after(headers)
    why = f"{what}: {type(error).__name__}: {error}"
    lost = protocol.Unknown if making else protocol.Passing
    if status is None:
        # No reply, half a reply, or no way to the service at all.
        return protocol.Passing(why) if _never_sent(error) else lost(why)
    if status == 409:
        # Neutron says "over quota" with the status of a conflict; it will not pass.
        if making and "quota exceeded" in str(error).lower():
            return protocol.Refused(why, status)
        return protocol.CloudConflict(why, after)
    if status == 413 and not after:
        # Cinder's "over quota" is a 413 that may be tried again after 0 seconds.
        return protocol.Refused(why, status)
    if status in (401, 408, 413, 429):
        return protocol.Passing(why, after)
    if status == 404 and not _of_the_service(headers):
        # A proxy that lost its way says nothing about the thing asked for.
        return lost(why, after)
    if 400 <= status < 500 or status == 501:
        return protocol.Refused(why, status)
    return lost(why, after)


class UnlessAbsent:
    """A block that ends quietly when the cloud says that there is no such thing."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return isinstance(error, protocol.Refused) and error.status == 404


def plain(id: str) -> str:
    """An id that may stand in a URL: users name flavors and networks to us."""
    if _ID.fullmatch(id) is None or id in (".", ".."):
        raise protocol.Refused(f"{id!r} is not an id", status=404)
    return id


def _of_the_service(headers: Headers) -> bool:
    """Whether an OpenStack service said this: Glance says it in HTML, and each puts the
    id of the request on its answers."""
    is_json = "json" in headers.get("content-type", "").lower()
    return is_json or "x-openstack-request-id" in headers


def _never_sent(error: BaseException) -> bool:
    """Whether there was no connection to ask by: then nothing can have been made."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
            return True
        if isinstance(reason, urllib3.exceptions.NewConnectionError):
            return True
        reason = reason.__context__
    return False


def _status(error: BaseException) -> int | None:
    for name in ("status_code", "http_status", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and status >= 100:
            return status
    return None


def _retry_after(headers: Headers) -> float | None:
    said = headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        return max(
            0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time()
        )
    except ValueError:
        return None

# SPDX-License-Identifier: Apache-2.0
"""The object store of the caller's project, as the token's catalogue says."""

import json
import typing

from trove import errors
from trove.actions.services import Settings
from trove.storage.swift import Swift

TYPE = "object-store"

Environ = typing.Mapping[str, typing.Any]


def opened(environ: Environ, settings: Settings) -> Swift:
    """With the token of the request; ``errors.Unsupported`` where there is none."""
    catalogue = environ.get("HTTP_X_SERVICE_CATALOG")
    token = environ.get("HTTP_X_AUTH_TOKEN")
    address = _address(catalogue, settings) if catalogue and token else None
    if address is None or token is None:
        raise errors.Unsupported("There is no object store for this project.")
    return Swift(address, token, settings.verify, settings.guests_object_store or "")


def _address(catalogue: str, settings: Settings) -> str | None:
    """The middleware writes the catalogue as Keystone's second version did."""
    try:
        services = json.loads(catalogue)
    except ValueError:
        return None
    for service in services:
        if service.get("type") != TYPE:
            continue
        for endpoint in service.get("endpoints", ()):
            if settings.region in (None, endpoint.get("region")):
                address = endpoint.get(f"{settings.interface}URL")
                if address:
                    return str(address)
    return None

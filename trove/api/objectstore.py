# SPDX-License-Identifier: Apache-2.0
"""The object store of the caller's project, as the token's catalogue says."""

import json
import typing

from trove import errors
from trove.actions.services import Settings
from trove.storage import registry
from trove.storage.protocol import ObjectStore

Environ = typing.Mapping[str, typing.Any]


def opened(environ: Environ, settings: Settings) -> ObjectStore:
    """With the token of the request; ``errors.Unsupported`` where there is none."""
    token = environ.get("HTTP_X_AUTH_TOKEN")
    for service in _catalogue(environ) if token else ():
        opens = registry.opens(str(service.get("type")))
        address = opens and _address(service, settings)
        if token and opens and address:
            guests = settings.guests_object_store or ""
            return opens(address, token, settings.verify, guests)
    raise errors.Unsupported("There is no object store for this project.")


def _catalogue(environ: Environ) -> list[dict[str, typing.Any]]:
    """The middleware writes the catalogue as Keystone's second version did."""
    try:
        services = json.loads(environ.get("HTTP_X_SERVICE_CATALOG") or "[]")
    except ValueError:
        return []
    return [service for service in services if isinstance(service, dict)]


def _address(service: dict[str, typing.Any], settings: Settings) -> str | None:
    for endpoint in service.get("endpoints", ()):
        if settings.region in (None, endpoint.get("region")):
            address = endpoint.get(f"{settings.interface}URL")
            if address:
                return str(address)
    return None

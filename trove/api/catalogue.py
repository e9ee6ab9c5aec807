# SPDX-License-Identifier: Apache-2.0
"""The catalogue that came with the caller's token."""

import json
import typing

from trove.actions.services import Settings

Environ = typing.Mapping[str, typing.Any]
Service = dict[str, typing.Any]


def services(environ: Environ) -> list[Service]:
    """The middleware writes the catalogue as Keystone's second version did."""
    try:
        found = json.loads(environ.get("HTTP_X_SERVICE_CATALOG") or "[]")
    except ValueError:
        return []
    return [service for service in found if isinstance(service, dict)]


def of_type(environ: Environ, kind: str) -> list[Service]:
    """The services of a type; none for who came without a token."""
    if not environ.get("HTTP_X_AUTH_TOKEN"):
        return []
    return [service for service in services(environ) if service.get("type") == kind]


def addresses(
    service: Service, settings: Settings, interfaces: typing.Iterable[str]
) -> list[str]:
    """A service's in our region, of the interfaces in their order."""
    endpoints = [
        endpoint
        for endpoint in service.get("endpoints", ())
        if settings.region in (None, endpoint.get("region"))
    ]
    return [
        str(endpoint[f"{interface}URL"])
        for interface in interfaces
        for endpoint in endpoints
        if endpoint.get(f"{interface}URL")
    ]

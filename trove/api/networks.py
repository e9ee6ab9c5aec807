# SPDX-License-Identifier: Apache-2.0
"""Networks as the caller's own token shows them, at his catalogue's address."""

import typing

from trove import errors
from trove.actions.services import Services
from trove.api import catalogue

TYPE = "network"


def opened(environ: catalogue.Environ, services: Services) -> typing.Any:
    """A ``cloud.protocol.Caller``; ``errors.Unsupported`` where there is none."""
    token, settings = environ.get("HTTP_X_AUTH_TOKEN"), services.settings
    for service in catalogue.services(environ) if token else ():
        if service.get("type") != TYPE:
            continue
        found = catalogue.addresses(service, settings, [settings.interface])
        if token and found:
            return services.cloud.seen_by(found[0], token)
    raise errors.Unsupported(
        "The catalogue has no network service: a network cannot be named."
    )

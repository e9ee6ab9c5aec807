# SPDX-License-Identifier: Apache-2.0
"""Networks as the caller's own token shows them, at his catalogue's address."""

import typing

from trove import errors
from trove.actions.services import Services
from trove.api import catalogue

TYPE = "network"


def opened(environ: catalogue.Environ, services: Services) -> typing.Any:
    """A ``cloud.protocol.Caller``; ``errors.Unsupported`` where there is none."""
    settings = services.settings
    for service in catalogue.of_type(environ, TYPE):
        found = catalogue.addresses(service, settings, [settings.interface])
        if found:
            return services.cloud.seen_by(found[0], environ["HTTP_X_AUTH_TOKEN"])
    raise errors.Unsupported(
        "The catalogue has no network service: a network cannot be named."
    )

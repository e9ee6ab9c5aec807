# SPDX-License-Identifier: Apache-2.0
"""The object store of the caller's project, as the token's catalogue says."""

from trove import errors
from trove.actions.services import Settings
from trove.api import catalogue
from trove.storage import registry
from trove.storage.protocol import ObjectStore


def opened(environ: catalogue.Environ, settings: Settings) -> ObjectStore:
    """With the token of the request; ``errors.Unsupported`` where there is none."""
    token = environ.get("HTTP_X_AUTH_TOKEN")
    for service in catalogue.services(environ) if token else ():
        opens = registry.opens(str(service.get("type")))
        found = catalogue.addresses(service, settings, [settings.interface])
        if token and opens and found:
            guests = settings.guests_object_store or ""
            return opens(found[0], token, settings.verify, guests)
    raise errors.Unsupported("There is no object store for this project.")

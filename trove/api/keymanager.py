# SPDX-License-Identifier: Apache-2.0
"""The key manager of the caller's project, as the token's catalogue says."""

from trove import errors
from trove.actions.services import Settings
from trove.api import catalogue
from trove.storage.barbican import KeyManager

INTERFACES = ("public", "internal", "admin")
TYPE = "key-manager"


def opened(environ: catalogue.Environ, settings: Settings) -> KeyManager:
    """With the token of the request; ``errors.Unsupported`` where there is none.

    One interface is asked. A reference may name another of them: it is the same secret.
    """
    asked = settings.key_manager_interface
    interfaces = sorted(INTERFACES, key=lambda each: each != asked)
    for service in catalogue.of_type(environ, TYPE):
        if catalogue.addresses(service, settings, [asked]):
            known = catalogue.addresses(service, settings, interfaces)
            return KeyManager(known, environ["HTTP_X_AUTH_TOKEN"], settings.verify)
    raise errors.Unsupported("There is no key manager for this project.")

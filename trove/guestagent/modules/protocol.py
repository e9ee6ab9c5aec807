# SPDX-License-Identifier: Apache-2.0
"""What a driver of modules is: an entry point of ``trove.guestagent.modules``.

The entry point's name is the module's type; it names a class without arguments. A
driver runs in a process of its own, as root, and each of its deeds is an *ensure*: it
may be asked for again, whatever of it was done before.
"""

import dataclasses
import typing

from trove import errors


class ModuleRefused(errors.Invalid):
    """A driver will not, or cannot; its user is told these words."""

    sentence = "{why}"


@dataclasses.dataclass(frozen=True, slots=True)
class Module:
    """What is to be applied. ``contents`` as the user gave them, and no longer secret
    to the driver; empty where it is to be taken away."""

    id: str
    name: str
    type: str
    datastore: str
    contents: bytes = dataclasses.field(repr=False, default=b"")


class Driver(typing.Protocol):
    """Both deeds answer what the user is told, and raise ``ModuleRefused``."""

    def apply(self, module: Module) -> str:
        """The module is in effect, with these contents."""

    def remove(self, module: Module) -> str:
        """Nothing of it is left; also when nothing of it was there."""

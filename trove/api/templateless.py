# SPDX-License-Identifier: Apache-2.0
"""pecan, loaded without what its template engines are loaded with: there are no pages.

Mako brings Pygments where that is installed: 5 MB, and a fifth of an API's start.
"""

import sys
import typing

ENGINES = ("genshi", "kajiki", "pygments")


def _load() -> None:
    """Imports pecan while these seem not to be there."""
    modules: dict[str, typing.Any] = sys.modules  # type: ignore[assignment]
    hidden = [name for name in ENGINES if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        import pecan.core  # noqa: F401
    finally:
        for name in hidden:
            del modules[name]


_load()

import pecan  # noqa: E402
from pecan.core import ExplicitPecan  # noqa: E402

__all__ = ["ExplicitPecan", "pecan"]

# SPDX-License-Identifier: Apache-2.0
"""Where the Keystone is that tests run."""

import os
import pathlib

CACHE = pathlib.Path(os.environ.get("TROVE_CACHE", "/var/lib/trove/cache"))


def keystone_venv() -> pathlib.Path | None:
    """Its environment."""
    return made_here("keystone", "TROVE_KEYSTONE_VENV")


def made_here(name: str, variable: str) -> pathlib.Path | None:
    """An environment as it is named, else the newest that ``bin/bootstrap`` made."""
    named = os.environ.get(variable)
    if named:
        return pathlib.Path(named)
    made = sorted(
        CACHE.glob(f"{name}-*/complete"), key=lambda mark: mark.stat().st_mtime
    )
    return made[-1].parent if made else None

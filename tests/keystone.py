# SPDX-License-Identifier: Apache-2.0
"""Where the Keystone is that tests run."""

import os
import pathlib

CACHE = pathlib.Path(os.environ.get("TROVE_CACHE", "/var/lib/trove/cache"))


def keystone_venv() -> pathlib.Path | None:
    """Its environment: as named, else the newest that ``bin/bootstrap`` made here."""
    named = os.environ.get("TROVE_KEYSTONE_VENV")
    if named:
        return pathlib.Path(named)
    made = sorted(
        CACHE.glob("keystone-*/complete"), key=lambda mark: mark.stat().st_mtime
    )
    return made[-1].parent if made else None

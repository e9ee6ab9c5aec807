# SPDX-License-Identifier: Apache-2.0
"""Dates on the wire: to the second, in UTC, without a zone (Go's clients ask)."""

import datetime


def shown(moment: float | None) -> str | None:
    """Seconds since the epoch as ``2026-11-22T11:10:36``."""
    if moment is None:
        return None
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S")

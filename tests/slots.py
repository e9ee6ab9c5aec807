# SPDX-License-Identifier: Apache-2.0
"""Where a run of the tests stands, so that several runs share a machine.

``TROVE_TEST_SLOT`` (0 to 9) moves a run's bridges, networks and ports away from those
of every other slot. Two runs of the same slot would take each other's.
"""

import os

WORKERS = 5
"""So many deployments a slot has room for, one a worker."""


def slot() -> int:
    """This run's; 0 when nobody says otherwise."""
    number = int(os.environ.get("TROVE_TEST_SLOT", "0"))
    if not 0 <= number <= 9:
        raise ValueError("TROVE_TEST_SLOT is a number from 0 to 9")
    return number

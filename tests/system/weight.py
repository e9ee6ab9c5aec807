# SPDX-License-Identifier: Apache-2.0
"""What a guest's agent may take of its machine."""

import re
import typing

from tests.system.deployment import Deployment

BUDGET = 60 * 1024
"""KiB resident."""
HEAVY = ("sqlalchemy", "greenlet", "cinderclient")
"""What no guest ever loads."""

Recorder = typing.Callable[[str, object], None]


def is_small(deployment: Deployment, instance: str, what: str, told: Recorder) -> None:
    """Within its budget, now and when it was largest, with its engine's driver."""
    status = deployment.agent(instance, "status")
    now, most = (
        int(re.findall(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)[0])
        for name in ("VmRSS", "VmHWM")
    )
    told("summary", f"agent of {what}: {now} KiB resident, {most} KiB at the most")
    assert now <= BUDGET, f"{what}: {now} KiB"
    maps = deployment.agent(instance, "maps")
    assert [name for name in HEAVY if name in maps] == []

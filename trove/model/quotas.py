# SPDX-License-Identifier: Apache-2.0
"""What is counted in a project's quota, and what each request costs of it."""

INSTANCES = "instances"
RAM = "ram"
VOLUMES = "volumes"
BACKUPS = "backups"

RESOURCES = (INSTANCES, RAM, VOLUMES, BACKUPS)
"""In the order shown. ram is in MiB, volumes in GiB; the others are counted."""

UNLIMITED = -1


def cost_of_instance(ram: int, volume_size: int | None) -> dict[str, int]:
    """An instance with ``ram`` MiB and a volume of so many GiB (None: no volume)."""
    return without_nothing({INSTANCES: 1, RAM: ram, VOLUMES: volume_size or 0})


def cost_of_resize(
    ram: int, new_ram: int, volume_size: int | None, new_volume_size: int | None
) -> dict[str, int]:
    """What a resize adds; a negative number is given back when it is done."""
    return without_nothing(
        {
            RAM: new_ram - ram,
            VOLUMES: (new_volume_size or 0) - (volume_size or 0),
        }
    )


def without_nothing(cost: dict[str, int]) -> dict[str, int]:
    """The same cost without what costs nothing."""
    return {resource: amount for resource, amount in cost.items() if amount}

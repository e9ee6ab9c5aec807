# SPDX-License-Identifier: Apache-2.0
"""The deterministic name and tags of every thing made outside.

A thing is found again by its *key*, derived from the object it belongs to and its role,
so that a crash between making it and writing its id down loses nothing (operations.md,
rule 4). Keys fit a Nova tag: at most 60 characters, no comma, no slash.
"""

KEY_TAG = "trove-key="
DEPLOYMENT_TAG = "trove-deployment="


def key(object_id: str, role: str, attempt: int = 0) -> str:
    """``<uuid>.<role>`` or, when the thing is made once more, ``<uuid>.<role>.<n>``."""
    return f"{object_id}.{role}.{attempt}" if attempt else f"{object_id}.{role}"


def owner(thing_key: str) -> str:
    """The object a key belongs to."""
    return thing_key.split(".", 1)[0]


def tags(thing_key: str, deployment: str) -> tuple[str, str]:
    """What a server, port or group is tagged with, so that its reaper finds it."""
    return KEY_TAG + thing_key, DEPLOYMENT_TAG + deployment


def guest_user(instance: str) -> str:
    """The broker user of an instance's guest."""
    return f"guest-{instance}"


def guest_of(broker_user: str | None) -> str | None:
    """The instance whose guest a broker user is, or None for anybody else."""
    prefix = "guest-"
    if not broker_user or not broker_user.startswith(prefix):
        return None
    return broker_user[len(prefix) :]

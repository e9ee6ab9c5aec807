# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of the toy: a store of keys, with users and TLS."""

from trove.datastores.policy import policy
from trove.datastores.spec import (
    GUEST_LOG,
    Build,
    Can,
    Datastore,
    Log,
    Naming,
    parameters,
)

RESERVED = frozenset("root os_admin trove_admin trove_backup".split())
NAMING = Naming(max_user=64, max_database=64, reserved_users=RESERVED, hosts=False)

DATASTORE = Datastore(
    name="toykv",
    port=7379,
    user="daemon",  # every Debian has it, so the toy needs no package of its own
    data="/srv/toykv",
    can=Can(databases=False, plain=False),
    naming=NAMING,
    agent="toykv.agent",
    parameters=parameters(__package__),
    policy=policy(__package__),
    logs=(Log("error", system=True), GUEST_LOG),
    builds=(Build("1.0", "bookworm", ("python3",)),),
    firststeps="toykv.firststeps",
    requires=("toykv==1.0.3",),  # this very package: so its agent comes into images
)

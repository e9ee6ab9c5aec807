# SPDX-License-Identifier: Apache-2.0
"""What the control plane must know of Valkey: a store of keys, with users and TLS."""

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

NAMING = Naming(
    max_user=128,
    max_database=128,  # never asked: nobody makes any
    # A name is a word of the access list, which blanks end.
    unnamed=" ",
    reserved_users=frozenset(
        "default root os_admin public valkey trove_admin trove_backup trove_monitor "
        "trove_replication".split()
    ),
    hosts=False,
)

PACKAGES = ("valkey-server", "valkey-tools")

DATASTORE = Datastore(
    name="valkey",
    port=6379,
    user="valkey",
    data="/srv/valkey",
    can=Can(databases=False, plain=False, back_up=True),
    naming=NAMING,
    agent="trove.datastores.valkey.agent",
    parameters=parameters(__package__),
    policy=policy(__package__),
    logs=(Log("error", system=True), GUEST_LOG),
    builds=(Build("8.1", "trixie", PACKAGES),),
    units=("valkey-server.service",),
    emptied=("var/lib/valkey",),
    firststeps="trove.datastores.valkey.firststeps",
    requires=("libvalkey==4.2.1",),
)

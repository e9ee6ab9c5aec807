# SPDX-License-Identifier: Apache-2.0
"""The configuration of Valkey: what is in each layer, and how it is written down."""

from trove import errors
from trove.datastores.layers import Grammar, Settings
from trove.datastores.protocol import MTLS, Sizing
from trove.datastores.valkey.agent.places import Places

MIB = 1024 * 1024

GRAMMAR = Grammar(
    suffix=".conf",
    include='include "{path}"\n',
    on="yes",
    off="no",
    quote='"',
    doubled=False,
    between=" ",
)

OVERHEAD = 256
"""MiB of a guest that are never the store's: the system and the agent."""

DATABASES = 16
"""The numbered databases that tenants know; the one after them is the agent's."""

APPENDED = "aof"
"""The directory, in that of the data, of the file that every write is appended to."""

NEVER = 2**31 - 1
"""More replicas than a server can have."""


def engine_layer() -> Settings:
    """What we set otherwise than Valkey does, and a group may set again.

    Nothing is thrown away when memory is full, unless a group says so: a database does
    not lose data by itself.
    """
    return {
        "maxmemory-policy": "noeviction",
        "appendfsync": "everysec",
    }


def flavor_layer(sizing: Sizing) -> Settings:
    """What follows from the flavor's memory and processors.

    A third stays free: while the server rewrites its file, a child of it keeps each
    page that tenants change meanwhile a second time.
    """
    memory = sizing.memory
    return {
        "maxmemory": max(32, (memory - OVERHEAD) * 65 // 100) * MIB,
        "maxclients": min(10_000, max(100, memory)),
        "repl-backlog-size": min(256, max(1, memory // 64)) * MIB,
        "io-threads": 1 if sizing.vcpus < 4 else min(8, sizing.vcpus - 1),
    }


def service_layer(places: Places) -> Settings:
    """What persistence, encryption and the agent need.

    The append-only file has every write. A snapshot is made each hour beside it; that
    one cannot be made refuses no write, and keeps no server from stopping.
    """
    return {
        "databases": DATABASES + 1,
        "appendonly": True,
        "appenddirname": APPENDED,
        "aof-use-rdb-preamble": True,
        "save": "3600 1",
        "stop-writes-on-bgsave-error": False,
        "shutdown-on-sigterm": "nosave force",
        "tls-cert-file": places.pair,
        "tls-key-file": places.pair,
        "tls-ca-cert-file": places.authority,
        "tls-protocols": "TLSv1.2 TLSv1.3",
    }


def group_layer(sizing: Sizing, group: Settings) -> Settings:
    """The user's own, as they were checked; they must also fit into the flavor."""
    if group.get("maxmemory", 0) > sizing.memory * MIB * 8 // 10:
        # The engine itself takes any number here and is killed later.
        raise errors.Invalid(
            why="maxmemory does not fit into the memory of the flavor."
        )
    return group


def forced_layer(places: Places, port: int, mode: str) -> Settings:
    """What no one may change."""
    return {
        # No port but this one, and it speaks TLS from the first byte.
        "port": 0,
        "tls-port": port,
        "aclfile": places.users,
        "unixsocket": places.socket,
        "unixsocketperm": "700",
        "tls-auth-clients": clients(mode),
        "protected-mode": True,
        "enable-debug-command": "no",
        "enable-module-command": "no",
        "enable-protected-configs": "no",
        "hide-user-data-from-log": True,
        # Tenants may restore what they dumped; who forges it must not crash it.
        "sanitize-dump-payload": "yes",
        # What makes the guard's layer refuse writes.
        "min-replicas-max-lag": 10,
        "supervised": "systemd",
        "daemonize": False,
        "logfile": "",
    }


def clients(mode: str) -> str:
    """Whether clients show a certificate of their own."""
    return "yes" if mode == MTLS else "no"


def guard_layer(on: bool) -> Settings:
    """A full disk: every write waits for replicas that there cannot be, and is refused.

    Nothing else refuses all of them: a user's rights lie in a file on the full disk,
    less memory would evict what a group lets it evict, and who is a replica follows
    somebody.
    """
    return {"min-replicas-to-write": NEVER} if on else {}


UNIT_LINES = "Conflicts=valkey-server.service\n"


def service_lines(places: Places) -> str:
    """What is Valkey's own of its unit. It may run nothing but itself.

    The directory is named here: a configuration is tried out before there is one.
    """
    return f"""\
RuntimeDirectory=trove-valkey
RuntimeDirectoryMode=0700
ExecStart=/usr/bin/valkey-server {places.settings}/valkey.conf --dir {places.data}
KillSignal=SIGTERM
LimitNOFILE=65535
OOMScoreAdjust=-600
CapabilityBoundingSet=
MemoryDenyWriteExecute=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
NoExecPaths=/
ExecPaths=/usr/bin/valkey-server /usr/lib /lib"""

# SPDX-License-Identifier: Apache-2.0
"""The configuration of PostgreSQL: what is in each layer, and how it is written."""

from trove import errors
from trove.datastores.layers import Grammar, Settings
from trove.datastores.places import Places
from trove.datastores.postgresql.spec import DUMPER, LOADER
from trove.datastores.protocol import BASIC, MTLS, Sizing

GRAMMAR = Grammar(
    suffix=".conf",
    include="include '{path}'\n",
    on="on",
    off="off",
    quote="'",
    doubled=True,
)

PAGES = 128
"""Pages of 8 KiB in a MiB."""

WHO_WE_ARE = f"""\
trove root postgres
trove postgres postgres
trove postgres {DUMPER}
trove postgres {LOADER}
"""
"""pg_ident.conf: the agent is root and comes as the superuser, by the socket; what
dumps or loads a database comes as a role of less."""


def who_may_enter(mode: str) -> str:
    """pg_hba.conf: the superuser by the socket only, others with a password only.

    By TLS, unless the mode is basic; with a certificate as well, if it is mtls.
    """
    by = "host" if mode == BASIC else "hostssl"
    proof = "scram-sha-256" + (" clientcert=verify-ca" if mode == MTLS else "")
    return f"""\
local all,replication postgres peer map=trove
local all {DUMPER},{LOADER} peer map=trove
{by} all postgres all reject
{by} all all all {proof}
"""


def engine_layer(places: Places, port: int) -> Settings:
    """What we set otherwise than PostgreSQL does, and a group may set again."""
    return {
        "data_directory": places.data,
        "hba_file": f"{places.settings}/pg_hba.conf",
        "ident_file": f"{places.settings}/pg_ident.conf",
        "unix_socket_directories": places.runtime,
        "unix_socket_permissions": "0700",
        "listen_addresses": "*",
        "port": port,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_destination": "stderr",
        "logging_collector": False,
        "log_line_prefix": "%m [%p] %q%u@%d ",
        # Compiling queries costs each connection memory that small flavors lack.
        "jit": False,
    }


def flavor_layer(sizing: Sizing) -> Settings:
    """What follows from the flavor's memory and processors."""
    memory = sizing.memory
    connections = min(2000, max(50, memory // 8))
    return {
        "max_connections": connections,
        "shared_buffers": f"{max(16, memory // 4)}MB",
        "effective_cache_size": f"{memory * 6 // 10}MB",
        "maintenance_work_mem": f"{min(2048, max(16, memory // 16))}MB",
        "work_mem": f"{max(1024, memory * 1024 // (4 * connections))}kB",
        "max_wal_size": f"{min(8192, max(256, memory // 2))}MB",
        "min_wal_size": "80MB",
        "max_worker_processes": max(8, sizing.vcpus),
        "max_parallel_workers": sizing.vcpus,
        "max_parallel_workers_per_gather": min(4, sizing.vcpus // 2),
    }


def service_layer(places: Places, major: int) -> Settings:
    """What replication, backup and encryption need, in that version."""
    # what changed since a backup is known without reading all of the data
    newer: Settings = {"summarize_wal": True} if major >= 17 else {}
    return newer | {
        "wal_level": "replica",
        "max_wal_senders": 8,
        "max_replication_slots": 8,
        "hot_standby": True,
        "wal_log_hints": True,
        "archive_mode": False,
        # A replica that is gone must not fill the disk.
        "max_slot_wal_keep_size": "1GB",
        "ssl_cert_file": places.pair,
        "ssl_key_file": places.pair,
        "ssl_ca_file": places.authority,
    }


def group_layer(sizing: Sizing, group: Settings) -> Settings:
    """The user's own, as they were checked; they must also fit into the flavor."""
    if group.get("shared_buffers", 0) > sizing.memory * PAGES * 6 // 10:
        raise errors.Invalid(
            why="shared_buffers does not fit into the memory of the flavor."
        )
    return group


def forced_layer(major: int) -> Settings:
    """What no one may change, in that version."""
    # before 17 nobody but a superuser can, and there is none of a tenant's
    newer: Settings = {"allow_alter_system": False} if major >= 17 else {}
    return newer | {
        "ssl": True,
        "ssl_min_protocol_version": "TLSv1.2",
        "password_encryption": "scram-sha-256",
        "superuser_reserved_connections": 5,
        "shared_preload_libraries": "",
        "session_preload_libraries": "",
        "local_preload_libraries": "",
        "fsync": True,
        "full_page_writes": True,
        # The agent reads what the server says.
        "lc_messages": "C",
    }


UNIT_LINES = "Conflicts=postgresql.service trove-postgresql-alone.service\n"


def service_lines(places: Places, programs: str) -> str:
    """What is PostgreSQL's own of its unit: the server itself, for the package's
    wrapper waits for seconds.
    """
    return f"""\
RuntimeDirectory=postgresql
Environment=PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj PG_OOM_ADJUST_VALUE=0
ExecStart={programs}/postgres -D {places.data} \
--config-file={places.settings}/postgresql.conf
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
OOMScoreAdjust=-900"""

# SPDX-License-Identifier: Apache-2.0
"""The configuration of MariaDB: what is in each layer, and how it is written down.

Later layers win: engine, flavor, service, group, forced, guard. A group can name
nothing that a service or forced layer says: only its datastore's parameters.
"""

import typing

from trove import errors
from trove.datastores import values
from trove.datastores.mariadb.agent.places import Places
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import Sizing

MIB = 1024 * 1024
LAYERS = ("00-engine", "10-flavor", "20-service", "50-group", "90-forced", "95-guard")
Settings = dict[str, typing.Any]

OVERHEAD = 320
"""MiB of a guest that are not the buffer pool's: the system, the agent, the server."""


def engine_layer(places: Places, port: int) -> Settings:
    """What we set otherwise than MariaDB does, and a group may set again."""
    return {
        "datadir": places.data,
        "socket": places.socket,
        "pid_file": f"{places.runtime}/mysqld.pid",
        "tmpdir": places.temporary,
        "port": port,
        "bind_address": "*",
        "character_set_server": "utf8mb4",
        "innodb_flush_log_at_trx_commit": 1,
        # Log-ins are not polled away: a typing mistake must not lock an address out.
        "max_connect_errors": 1_000_000,
    }


def flavor_layer(sizing: Sizing) -> Settings:
    """What follows from the flavor's memory and processors."""
    pool = max(32, (sizing.memory - OVERHEAD) * 6 // 10)
    return {
        "innodb_buffer_pool_size": pool * MIB,
        "innodb_log_file_size": min(2048, max(48, pool // 2)) * MIB,
        "max_connections": min(5000, max(50, sizing.memory // 8)),
        "aria_pagecache_buffer_size": max(8, sizing.memory // 64) * MIB,
        "key_buffer_size": MIB,
        "thread_cache_size": min(256, max(8, sizing.memory // 64)),
    }


def service_layer(places: Places, server_id: int) -> Settings:
    """What replication, backup and encryption need."""
    return {
        "server_id": server_id,
        "log_bin": f"{places.binlogs}/binlog",
        "log_bin_index": f"{places.binlogs}/binlog.index",
        "relay_log": f"{places.binlogs}/relay",
        "binlog_format": "ROW",
        "sync_binlog": 1,
        "max_binlog_size": 128 * MIB,
        "binlog_expire_logs_seconds": 86400,
        "gtid_strict_mode": True,
        "log_slave_updates": True,
        "ssl_cert": f"{places.tls}/server.crt",
        "ssl_key": f"{places.tls}/server.key",
        "ssl_ca": f"{places.tls}/ca.crt",
        "tls_version": "TLSv1.2,TLSv1.3",
    }


def group_layer(sizing: Sizing, group: Settings) -> Settings:
    """The user's own, checked; also against what fits into the flavor."""
    checked = values.check(DATASTORE.parameters, group)
    if checked.get("innodb_buffer_pool_size", 0) > sizing.memory * MIB * 8 // 10:
        # The engine itself takes any number here and is killed later.
        raise errors.Invalid(
            why="innodb_buffer_pool_size does not fit into the memory of the flavor."
        )
    return checked


def forced_layer(places: Places) -> Settings:
    """What no one may change."""
    return {
        "require_secure_transport": True,
        "local_infile": False,
        "secure_file_priv": places.files,
        "skip_name_resolve": True,
        "symbolic_links": False,
        "allow_suspicious_udfs": False,
    }


def render(settings: Settings) -> str:
    """The text of one layer.

    A value that could end its line, or its quotes, is a mistake of ours by now.
    """
    lines = ["[mariadbd]"]
    for name, value in sorted(settings.items()):
        match value:
            case bool():
                text = "ON" if value else "OFF"
            case int() | float():
                text = str(value)
            case str() if not any(c in '"\\' or ord(c) < 32 for c in value):
                text = f'"{value}"'
            case _:
                raise errors.Internal(why=f"{name} cannot be written down.")
        lines.append(f"{name} = {text}")
    return "\n".join(lines) + "\n"


def index(places: Places) -> str:
    """The file the server reads: all layers, in their order."""
    return "".join(f"!include {layer(places, name)}\n" for name in LAYERS)


def layer(places: Places, name: str) -> str:
    """The path of a layer."""
    return f"{places.settings}/{name}.cnf"


def unit(places: Places) -> str:
    """The unit file. It takes the place of the package's, which is never enabled."""
    return f"""\
[Unit]
Description=MariaDB, run by the Trove guest agent
After=network.target
AssertPathIsDirectory={places.data}

[Service]
Type=notify
User={DATASTORE.user}
Group={DATASTORE.user}
RuntimeDirectory=mysqld
ExecStart=/usr/sbin/mariadbd --defaults-file={places.settings}/my.cnf
KillSignal=SIGTERM
SendSIGKILL=no
Restart=on-failure
RestartSec=5
TimeoutStartSec=600
TimeoutStopSec=600
UMask=0077
LimitNOFILE=32768
OOMScoreAdjust=-600
NoNewPrivileges=yes
ProtectSystem=full
ProtectHome=yes
ProtectControlGroups=yes
"""

# SPDX-License-Identifier: Apache-2.0
"""What is the same in the configuration of such engines."""

import typing

from trove import errors
from trove.datastores.classic.places import Places
from trove.datastores.layers import Grammar, Settings
from trove.datastores.protocol import BASIC, Sizing

MIB = 1024 * 1024

LOGS = {"general": "general_log", "slow_query": "slow_query_log"}
"""What switches a log on; its file's name is another variable."""
FLUSHED = {"general": "GENERAL", "slow_query": "SLOW"}


class Layering(typing.NamedTuple):
    """What an engine says in each of the layers that are no user's."""

    section: str
    """Of its files: which program they are for."""
    engine: typing.Callable[[Places, int], Settings]
    """By its port."""
    flavor: typing.Callable[[Sizing], Settings]
    service: typing.Callable[[Places, int], Settings]
    """By the number that is its server's alone."""
    forced: typing.Callable[[Places, str], Settings]
    """By the mode of its connections."""


def grammar(section: str) -> Grammar:
    """How the files are written. ``section``: which program they are for."""
    return Grammar(
        suffix=".cnf",
        include="!include {path}\n",
        on="ON",
        off="OFF",
        quote='"',
        doubled=False,
        head=f"[{section}]\n",
    )


def engine_layer(places: Places, port: int) -> Settings:
    """What we set otherwise than the engine does, and a group may set again."""
    return {
        "datadir": places.data,
        "socket": places.socket,
        "pid_file": f"{places.runtime}/mysqld.pid",
        "tmpdir": places.temporary,
        "port": port,
        "bind_address": "*",
        "character_set_server": "utf8mb4",
        "innodb_flush_log_at_trx_commit": 1,
        # Rows are logged, and no statements: with a trigger of a tenant's nothing
        # happens elsewhere that did not happen here, and it needs no SUPER.
        "log_bin_trust_function_creators": True,
        # Log-ins are not polled away: a typing mistake must not lock an address out.
        "max_connect_errors": 1_000_000,
    }


def pool(sizing: Sizing, overhead: int) -> int:
    """MiB of the buffer pool. ``overhead``: those of a guest that are not its own."""
    return max(32, (sizing.memory - overhead) * 6 // 10)


def flavor_layer(sizing: Sizing) -> Settings:
    """What follows from the flavor's memory, beside the buffer pool."""
    return {
        "max_connections": min(5000, max(50, sizing.memory // 8)),
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
        "sync_binlog": 1,
        "max_binlog_size": 128 * MIB,
        "binlog_expire_logs_seconds": 86400,
        "ssl_cert": places.pair,
        "ssl_key": places.pair,
        "ssl_ca": places.authority,
        "tls_version": "TLSv1.2,TLSv1.3",
    }


def group_layer(sizing: Sizing, group: Settings) -> Settings:
    """The user's own, as they were checked; they must also fit into the flavor."""
    if group.get("innodb_buffer_pool_size", 0) > sizing.memory * MIB * 8 // 10:
        # The engine itself takes any number here and is killed later.
        raise errors.Invalid(
            why="innodb_buffer_pool_size does not fit into the memory of the flavor."
        )
    return group


def forced_layer(places: Places, mode: str) -> Settings:
    """What no one may change."""
    return {
        "require_secure_transport": mode != BASIC,
        "local_infile": False,
        "secure_file_priv": places.files,
        "skip_name_resolve": True,
    }


def service_lines(program: str, places: Places) -> str:
    """What is the engine's own of its unit, which takes the package's place."""
    return f"""\
RuntimeDirectory=mysqld
ExecStart={program} --defaults-file={places.settings}/my.cnf
KillSignal=SIGTERM
SendSIGKILL=no
LimitNOFILE=32768
OOMScoreAdjust=-600"""

# SPDX-License-Identifier: Apache-2.0
"""The configuration of MariaDB: what is its own in each layer."""

from trove.datastores.classic import config
from trove.datastores.classic.config import MIB, engine_layer, group_layer
from trove.datastores.classic.places import Places
from trove.datastores.layers import Settings
from trove.datastores.protocol import Sizing

__all__ = (
    "LAYERING",
    "MIB",
    "engine_layer",
    "flavor_layer",
    "forced_layer",
    "group_layer",
    "service_layer",
)

SECTION = "mariadbd"
GRAMMAR = config.grammar(SECTION)

OVERHEAD = 320
"""MiB of a guest that are not the buffer pool's: the system, the agent, the server."""


def flavor_layer(sizing: Sizing) -> Settings:
    """What follows from the flavor's memory and processors."""
    pool = config.pool(sizing, OVERHEAD)
    return config.flavor_layer(sizing) | {
        "innodb_buffer_pool_size": pool * MIB,
        "innodb_log_file_size": min(2048, max(48, pool // 2)) * MIB,
        "aria_pagecache_buffer_size": max(8, sizing.memory // 64) * MIB,
    }


def service_layer(places: Places, server_id: int) -> Settings:
    """What replication, backup and encryption need."""
    return config.service_layer(places, server_id) | {
        "binlog_format": "ROW",
        "gtid_strict_mode": True,
        "log_slave_updates": True,
    }


def forced_layer(places: Places, mode: str) -> Settings:
    """What no one may change."""
    return config.forced_layer(places, mode) | {
        "symbolic_links": False,
        "allow_suspicious_udfs": False,
        # the log says when a session asked for a commit, by what it calls now: were
        # that the session's to say, a restore to a moment would end at another
        "secure_timestamp": "SUPER",
    }


LAYERING = config.Layering(
    SECTION, engine_layer, flavor_layer, service_layer, forced_layer
)

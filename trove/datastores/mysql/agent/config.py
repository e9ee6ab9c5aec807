# SPDX-License-Identifier: Apache-2.0
"""The configuration of MySQL: what is its own in each layer."""

from trove.datastores.classic import config
from trove.datastores.classic.config import MIB
from trove.datastores.classic.places import Places
from trove.datastores.layers import Settings
from trove.datastores.protocol import Sizing

SECTION = "mysqld"

OVERHEAD = 520
"""MiB of a guest that are not the buffer pool's: half of it is the server's own."""
INSTRUMENTED = 2048
"""MiB from which on a guest has the performance schema, which takes 250 of them."""
CHUNKS = 64
"""A pool is a multiple of its chunks: in so many, none is rounded far."""


def flavor_layer(sizing: Sizing) -> Settings:
    """What follows from the flavor's memory and processors."""
    instrumented = sizing.memory >= INSTRUMENTED
    pool = config.pool(sizing, OVERHEAD + 250 * instrumented)
    instances = min(8, max(1, pool // 1024))
    chunk = max(1, pool // (CHUNKS * instances))
    return config.flavor_layer(sizing) | {
        "innodb_buffer_pool_size": pool
        // (chunk * instances)
        * chunk
        * instances
        * MIB,
        "innodb_buffer_pool_instances": instances,
        "innodb_buffer_pool_chunk_size": chunk * MIB,
        "innodb_log_buffer_size": min(64, max(8, pool // 16)) * MIB,
        "innodb_redo_log_capacity": min(4096, max(96, pool)) * MIB,
        "performance_schema": instrumented,
    }


def service_layer(places: Places, server_id: int) -> Settings:
    """What replication, backup and encryption need."""
    return config.service_layer(places, server_id) | {
        "gtid_mode": True,
        "enforce_gtid_consistency": True,
        "log_output": "FILE",
        "auto_generate_certs": False,
        # With a pair that it cannot read it would serve without TLS, and only warn.
        "tls_certificates_enforced_validation": True,
    }


def forced_layer(places: Places, mode: str) -> Settings:
    """What no one may change."""
    return config.forced_layer(places, mode) | {
        "mysqlx": False,
        "partial_revokes": True,
        # A value that SET PERSIST wrote down would win over every layer.
        "persisted_globals_load": False,
    }


LAYERING = config.Layering(
    SECTION, config.engine_layer, flavor_layer, service_layer, forced_layer
)

# SPDX-License-Identifier: Apache-2.0
"""MySQL's layers: what is in them, and that nothing slips from one into another."""

import pytest

from trove.datastores.classic import config as shared
from trove.datastores.classic.config import MIB
from trove.datastores.mysql.agent import config
from trove.datastores.mysql.agent.places import places
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import ENFORCED, MODES, Sizing

LISTED_BY_8_4 = frozenset(
    "auto_generate_certs bind_address binlog_expire_logs_seconds character_set_server "
    "datadir enforce_gtid_consistency gtid_mode innodb_buffer_pool_chunk_size "
    "innodb_buffer_pool_instances innodb_buffer_pool_size "
    "innodb_flush_log_at_trx_commit innodb_log_buffer_size innodb_redo_log_capacity "
    "key_buffer_size local_infile log_bin log_bin_index "
    "log_bin_trust_function_creators log_output max_binlog_size max_connect_errors "
    "max_connections mysqlx partial_revokes performance_schema persisted_globals_load "
    "pid_file port relay_log require_secure_transport secure_file_priv server_id "
    "skip_name_resolve socket ssl_ca ssl_cert ssl_key sync_binlog thread_cache_size "
    "tls_certificates_enforced_validation tls_version tmpdir".split()
)
"""Of the options in the help of an 8.4 server. What 9.x adds to them is not here."""
NATIVE = {"mysql_native_password", "mysql_native_password_proxy_users"}
"""Options that 8.4 has and 9.x does not: with one of them 9.x does not start."""


def test_an_8_4_server_knows_every_option_that_is_said(host):
    here, sizing = places(host), Sizing(4096, 2)
    said = {
        *shared.engine_layer(here, 3306),
        *config.flavor_layer(sizing),
        *config.service_layer(here, 1),
        *config.forced_layer(here, ENFORCED),
    }
    assert said <= LISTED_BY_8_4


def test_no_group_says_what_8_4_has_and_9_has_not():
    assert not NATIVE & set(DATASTORE.policy)


def test_a_group_can_name_nothing_of_the_service_or_forced_layers(host):
    here = places(host)
    own = set(config.service_layer(here, 1)) | set(config.forced_layer(here, ENFORCED))
    assert not own & set(DATASTORE.policy)


@pytest.mark.parametrize("memory", [512, 1024, 2048, 4096, 65536])
def test_the_flavor_layer_fits_into_the_flavor(memory):
    layer = config.flavor_layer(Sizing(memory, 1))
    assert layer["innodb_buffer_pool_size"] < memory * MIB * 7 // 10
    assert layer["max_connections"] >= 50


@pytest.mark.parametrize("memory", [512, 1000, 3000, 5000, 9000, 100_000])
def test_a_pool_is_whole_chunks_and_none_of_them_large(memory):
    layer = config.flavor_layer(Sizing(memory, 1))
    unit = (
        layer["innodb_buffer_pool_chunk_size"] * layer["innodb_buffer_pool_instances"]
    )
    assert layer["innodb_buffer_pool_size"] % unit == 0
    assert unit <= max(MIB, layer["innodb_buffer_pool_size"] // 32)


def test_what_a_tenant_may_not_do_is_forced(host):
    layer = config.forced_layer(places(host), ENFORCED)
    assert layer["partial_revokes"] is True, "grants are not patterns"
    for off in ("persisted_globals_load", "mysqlx", "local_infile"):
        assert layer[off] is False


def test_only_in_basic_may_one_come_without_tls(host):
    asked = [
        config.forced_layer(places(host), mode)["require_secure_transport"]
        for mode in MODES
    ]
    assert asked == [False, True, True]

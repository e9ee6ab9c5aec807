# SPDX-License-Identifier: Apache-2.0
"""MySQL's layers: what is in them, and that nothing slips from one into another."""

import pytest

from trove.datastores.classic.config import MIB
from trove.datastores.mysql.agent import config
from trove.datastores.mysql.agent.places import places
from trove.datastores.mysql.spec import DATASTORE
from trove.datastores.protocol import ENFORCED, MODES, Sizing


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

# SPDX-License-Identifier: Apache-2.0
"""The layers of a Valkey, and what they leave no one to say."""

import pytest

from trove import errors
from trove.datastores.protocol import BASIC, ENFORCED, MTLS, Sizing
from trove.datastores.valkey.agent import config
from trove.datastores.valkey.agent.places import places
from trove.datastores.valkey.spec import DATASTORE

MIB = 1024 * 1024


@pytest.mark.parametrize("memory", [256, 512, 1024, 4096, 65536])
def test_a_third_of_the_memory_stays_free(memory):
    layer = config.flavor_layer(Sizing(memory=memory, vcpus=2))
    assert 32 * MIB <= layer["maxmemory"] <= memory * MIB * 65 // 100
    assert layer["maxclients"] <= 10_000
    assert layer["io-threads"] == 1


def test_a_group_must_fit_into_the_flavor():
    sizing = Sizing(memory=1000, vcpus=1)
    assert config.group_layer(sizing, {"maxmemory": 800 * MIB})
    with pytest.raises(errors.Invalid, match="fit"):
        config.group_layer(sizing, {"maxmemory": 801 * MIB})


def test_no_group_says_what_a_higher_layer_or_persistence_says(host):
    here = places(host)
    said = {**config.service_layer(here), **config.forced_layer(here, 1, ENFORCED)}
    assert not set(DATASTORE.policy) & {*said, *config.guard_layer(True)}


@pytest.mark.parametrize(
    "mode, clients", [(BASIC, "no"), (ENFORCED, "no"), (MTLS, "yes")]
)
def test_no_mode_opens_a_port_without_tls(host, mode, clients):
    layer = config.forced_layer(places(host), 4711, mode)
    assert (layer["port"], layer["tls-port"]) == (0, 4711)
    assert layer["tls-auth-clients"] == clients


def test_the_guard_asks_for_more_replicas_than_there_can_be():
    assert config.guard_layer(True) == {"min-replicas-to-write": 2147483647}
    assert config.guard_layer(False) == {}


def test_a_file_is_as_the_engine_reads_it():
    text = config.GRAMMAR.render({"appendonly": True, "save": "3600 1", "port": 0})
    assert text == 'appendonly yes\nport 0\nsave "3600 1"\n'

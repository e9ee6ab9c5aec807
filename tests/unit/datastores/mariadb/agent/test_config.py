# SPDX-License-Identifier: Apache-2.0
"""MariaDB's layers: what is in them, and that nothing slips from one into another."""

import configparser

import hypothesis
import hypothesis.strategies as st
import pytest

from trove import errors
from trove.datastores.mariadb.agent import config
from trove.datastores.mariadb.agent.places import places
from trove.datastores.mariadb.spec import DATASTORE
from trove.datastores.protocol import ENFORCED, MODES, Sizing


@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["a", "b_c", "d"]),
        st.text() | st.integers() | st.booleans() | st.floats(),
    )
)
def test_what_is_written_is_read_back_or_refused(settings):
    try:
        text = config.GRAMMAR.render(settings)
    except errors.Internal:
        return
    parser = configparser.RawConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.read_string(text)
    read = dict(parser["mariadbd"])
    words = {True: "ON", False: "OFF"}
    assert read == {
        name: words[value]
        if isinstance(value, bool)
        else f'"{value}"'
        if isinstance(value, str)
        else str(value)
        for name, value in settings.items()
    }


@pytest.mark.parametrize("evil", ['a"', "a\\", "a\nplugin_load = x", "\x00", None, []])
def test_a_value_that_ends_its_line_is_never_written(evil):
    with pytest.raises(errors.Internal):
        config.GRAMMAR.render({"name": evil})


def test_a_group_can_name_nothing_of_the_service_or_forced_layers(host):
    here = places(host)
    own = set(config.service_layer(here, 1)) | set(config.forced_layer(here, ENFORCED))
    assert not own & set(DATASTORE.policy)


@pytest.mark.parametrize("memory", [256, 512, 1024, 4096, 65536])
def test_the_flavor_layer_fits_into_the_flavor(memory):
    layer = config.flavor_layer(Sizing(memory, 1))
    assert layer["innodb_buffer_pool_size"] < memory * config.MIB * 7 // 10
    assert layer["max_connections"] >= 50


def test_a_buffer_pool_beyond_the_flavor_is_refused():
    with pytest.raises(errors.Invalid, match="memory"):
        config.group_layer(Sizing(1024, 1), {"innodb_buffer_pool_size": 1 << 30})


def test_only_in_basic_may_one_come_without_tls(host):
    asked = [
        config.forced_layer(places(host), mode)["require_secure_transport"]
        for mode in MODES
    ]
    assert asked == [False, True, True]

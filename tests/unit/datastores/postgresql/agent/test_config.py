# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL's layers: what is in them; nothing slips from one into another."""

import re

import hypothesis
import hypothesis.strategies as st
import pytest

from trove import errors
from trove.datastores.postgresql.agent import config
from trove.datastores.postgresql.agent.places import places
from trove.datastores.postgresql.spec import DATASTORE
from trove.datastores.protocol import BASIC, ENFORCED, MTLS, Sizing


@hypothesis.given(
    st.dictionaries(
        st.sampled_from(["a", "b_c", "d"]), st.text() | st.integers() | st.booleans()
    )
)
def test_what_is_written_is_read_back_or_refused(settings):
    try:
        text = config.GRAMMAR.render(settings)
    except errors.Internal:
        return
    read = dict(re.findall(r"([a-z_]+) = ((?:'(?:[^']|'')*'|[^'\n]+))\n", text))
    assert "".join(f"{name} = {value}\n" for name, value in read.items()) == text
    words = {True: "on", False: "off"}
    for name, value in settings.items():
        if isinstance(value, str):
            assert read[name][1:-1].replace("''", "'") == value
        else:
            assert read[name] == words.get(value, str(value)) or read[name] == str(
                value
            )


@pytest.mark.parametrize("evil", ["a\\", "a\nssl = off", "\x00", None, []])
def test_a_value_that_ends_its_line_is_never_written(evil):
    with pytest.raises(errors.Internal):
        config.GRAMMAR.render({"name": evil})


def test_a_group_can_name_nothing_of_the_service_or_forced_layers(host):
    for major in (15, 17):
        own = set(config.service_layer(places(host), major))
        own |= set(config.forced_layer(major))
        assert not own & set(DATASTORE.policy)


def test_a_version_is_told_what_it_knows(host):
    """Older ones do not start with a name that they do not know."""
    said = {
        major: config.service_layer(places(host), major) | config.forced_layer(major)
        for major in (15, 17)
    }
    assert said[17]["allow_alter_system"] is False and said[17]["summarize_wal"] is True
    assert not {"allow_alter_system", "summarize_wal"} & set(said[15])


@pytest.mark.parametrize("memory", [256, 512, 1024, 4096, 65536])
def test_the_flavor_layer_fits_into_the_flavor(memory):
    layer = config.flavor_layer(Sizing(memory, 1))
    assert int(layer["shared_buffers"].removesuffix("MB")) <= memory // 4
    assert layer["max_connections"] >= 50


def test_shared_buffers_beyond_the_flavor_are_refused():
    with pytest.raises(errors.Invalid, match="memory"):
        config.group_layer(Sizing(1024, 1), {"shared_buffers": 131072})


def test_who_may_enter_follows_the_mode():
    basic, enforced, mtls = map(config.who_may_enter, (BASIC, ENFORCED, MTLS))
    assert "\nhost all all all scram-sha-256\n" in basic
    assert "\nhostssl all all all scram-sha-256\n" in enforced
    assert "\nhostssl all all all scram-sha-256 clientcert=verify-ca\n" in mtls
    for text in (basic, enforced, mtls):
        assert (
            text.splitlines()[1] == "local all trove_backup,trove_loader peer map=trove"
        )
        assert text.splitlines()[2].endswith(" all postgres all reject")

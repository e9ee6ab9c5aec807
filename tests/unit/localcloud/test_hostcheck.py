# SPDX-License-Identifier: Apache-2.0
"""What one machine refuses, in sentences, before anything is changed."""

from trove.localcloud import hostcheck
from trove.localcloud.layout import Layout


def test_every_port_is_another():
    ports = hostcheck.ports(Layout())
    assert len(set(ports)) == len(ports)


def test_a_directory_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "letters").mkdir()
    place = Layout(state=tmp_path, cache=tmp_path / "cache")
    assert "not ours" in hostcheck._state(place)[0]
    (tmp_path / "cache").mkdir()
    assert hostcheck._state(place) == []


def test_an_empty_or_missing_directory_is_fine(tmp_path):
    assert hostcheck._state(Layout(state=tmp_path, cache=tmp_path / "c")) == []
    gone = tmp_path / "gone"
    assert hostcheck._state(Layout(state=gone, cache=tmp_path / "c")) == []

# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/datastores/places.py: the data are below the volume, not its root."""

from trove.datastores.places import Places


def test_the_data_are_below_the_volume():
    here = Places("/srv/x", "/etc/x", "/run/x", "/etc/systemd/system/x.service")
    assert here.data == "/srv/x/data"
    assert here.data_unfinished == "/srv/x/data.unfinished"
    assert {here.pair, here.authority} == {"/etc/x/tls/server.pem", "/etc/x/tls/ca.crt"}

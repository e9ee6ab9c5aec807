# SPDX-License-Identifier: Apache-2.0
"""A guest with AppArmor lets the server into the places that are ours."""

from trove.datastores.mysql.agent import apparmor
from trove.datastores.mysql.agent.places import places


def test_the_profile_is_told_once_where_the_data_are(host):
    host.files |= {apparmor.PROFILE: "", apparmor.PARSER: ""}
    for _ in range(2):
        apparmor.admit(host, places(host))
    assert "/srv/mysql/** rwk,\n" in host.files[apparmor.ADDED]
    assert "/etc/trove-mysql/** r,\n" in host.files[apparmor.ADDED]
    assert host.deeds == ["apparmor_parser as None"]


def test_where_nothing_keeps_it_out_nothing_is_written(host):
    for there in ({}, {apparmor.PROFILE: ""}, {apparmor.PARSER: ""}):
        host.files = dict(there)
        apparmor.admit(host, places(host))
        assert host.files == there
    assert host.deeds == []

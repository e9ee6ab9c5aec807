# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/cloud/openstack/servergroups.py: what is asked of Nova."""

import pytest

from trove.cloud import protocol

MARK = "trove-deployment=d1 "


def shown(id, name, **how):
    return {"id": id, "name": name, "members": [], **how}


@pytest.mark.parametrize(
    ("newest", "asked", "told"),
    [
        ("2.95", {"policy": "affinity"}, {"policy": "affinity", "rules": {}}),
        ("2.60", {"policies": ["affinity"]}, {"policies": ["affinity"]}),
    ],
)
def test_a_group_is_ordered_as_this_nova_has_it(stub, cloud, newest, asked, told):
    stub.newest_compute = newest
    answer = {"server_group": shown("g1", MARK + "a.servers", **told)}
    stub.on("POST", "/os-server-groups$", answer)
    made = cloud.server_groups.create("a.servers", "affinity")
    assert made == protocol.ServerGroup("g1", "a.servers", "affinity")
    (request,) = stub.asked("POST", "/os-server-groups$")
    body = request.body["server_group"]
    assert body["name"] == MARK + "a.servers"
    assert {key: body[key] for key in asked} == asked


def test_only_groups_of_this_deployment_and_key_are_found(stub, cloud):
    names = ("a.servers", "trove-deployment=d10 a.servers", MARK + "b.servers")
    groups = [shown(f"x{n}", name, policy="") for n, name in enumerate(names)]
    groups.append(shown("g1", MARK + "a.servers", policy="anti-affinity"))
    stub.on("GET", "/os-server-groups$", {"server_groups": groups})
    found = protocol.ServerGroup("g1", "a.servers", "anti-affinity")
    assert cloud.server_groups.find("a.servers") == [found]
    assert [group.key for group in cloud.server_groups.owned()] == [
        "b.servers",
        "a.servers",
    ]


def test_a_group_that_is_not_there_is_none_and_gone(cloud):
    assert cloud.server_groups.show("g1") is None
    cloud.server_groups.delete("g1")

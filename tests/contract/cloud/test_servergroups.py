# SPDX-License-Identifier: Apache-2.0
"""What every cloud's server groups must do."""

import dataclasses

import pytest

from trove.cloud import protocol

NOBODY = "8f3a7a52-0f0e-4d2c-9d0b-5a3c1e7f6b90"


@pytest.mark.parametrize("policy", ["affinity", "soft-anti-affinity"])
def test_a_group_is_found_by_key_and_by_id(cloud, policy):
    groups = cloud.server_groups
    made = groups.create("s.servers", policy)
    assert (made.key, made.policy) == ("s.servers", policy)
    assert groups.find("s.servers") == groups.owned() == [made]
    assert groups.find("s.server") == []
    assert groups.show(made.id) == made
    for _ in range(2):
        groups.delete(made.id)
    assert groups.show(made.id) is None
    assert groups.owned() == []


def test_a_policy_that_there_is_not_is_refused(cloud):
    with pytest.raises(protocol.Refused):
        cloud.server_groups.create("s.servers", "near")
    assert cloud.server_groups.owned() == []


def test_a_group_made_and_not_told_is_found_by_key(bench, cloud):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        cloud.server_groups.create("s.servers", "affinity")
    assert len(cloud.server_groups.find("s.servers")) == 1


def test_a_deployment_does_not_see_anothers(bench, cloud):
    cloud.server_groups.create("s.servers", "affinity")
    assert bench.other.server_groups.find("s.servers") == []
    assert bench.other.server_groups.owned() == []


def test_a_server_is_booted_into_a_group_that_is_there(cloud, order):
    lost = dataclasses.replace(order, server_group=NOBODY)
    with pytest.raises(protocol.Refused):
        cloud.compute.boot("s.server", lost)
    assert cloud.compute.find("s.server") == []
    made = cloud.server_groups.create("s.servers", "anti-affinity")
    into = dataclasses.replace(order, server_group=made.id)
    assert cloud.compute.boot("s.server", into).key == "s.server"

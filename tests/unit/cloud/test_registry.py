# SPDX-License-Identifier: Apache-2.0
"""Clouds are found by name."""

import pytest

from trove import errors
from trove.cloud import registry


def test_the_clouds_of_this_package_are_found():
    assert {"memory", "openstack"} <= set(registry.names())


def test_a_cloud_is_connected_by_name():
    cloud = registry.connect("memory", deployment="d1")
    cloud.volumes.create("a.volume", 1)
    assert [v.key for v in cloud.volumes.owned()] == ["a.volume"]


def test_a_name_nobody_has_is_invalid_and_the_others_are_told():
    with pytest.raises(errors.Invalid, match="memory"):
        registry.connect("nimbus")


@pytest.mark.parametrize("name", ["..memory", "protocol", "openstack.session"])
def test_only_a_cloud_is_connected(name):
    with pytest.raises(errors.Invalid):
        registry.connect(name)

# SPDX-License-Identifier: Apache-2.0
"""What requests cost."""

from trove.model import quotas


def test_an_instance_costs_itself_its_memory_and_its_volume():
    cost = quotas.cost_of_instance(ram=2048, volume_size=5)
    assert cost == {"instances": 1, "ram": 2048, "volumes": 5}


def test_without_a_volume_none_is_counted():
    assert quotas.cost_of_instance(512, None) == {"instances": 1, "ram": 512}


def test_a_resize_costs_the_difference_and_nothing_else():
    assert quotas.cost_of_resize(1024, 2048, 5, 5) == {"ram": 1024}
    assert quotas.cost_of_resize(2048, 1024, 5, 8) == {"ram": -1024, "volumes": 3}
    assert quotas.cost_of_resize(1024, 1024, None, None) == {}

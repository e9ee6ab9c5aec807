# SPDX-License-Identifier: Apache-2.0
"""The classes of failure, and what a key needs to fit everywhere."""

import uuid

import pytest

from trove import errors
from trove.cloud import protocol
from trove.model import naming

LONGEST_ROLES = ("server", "volume", "port", "group")


def test_what_is_unknown_or_in_conflict_may_be_tried_again():
    assert issubclass(protocol.Unknown, protocol.Passing)
    assert issubclass(protocol.CloudConflict, protocol.Passing)
    assert not issubclass(protocol.Refused, protocol.Passing)
    assert issubclass(protocol.Refused, errors.Upstream)


def test_a_failure_says_what_the_cloud_said():
    late = protocol.Passing("it is tired", retry_after=3)
    assert (late.message, late.retry_after) == ("The cloud failed: it is tired", 3)
    assert protocol.Refused("no", status=403).status == 403


@pytest.mark.parametrize("role", LONGEST_ROLES)
@pytest.mark.parametrize("attempt", [0, 9, 99])
def test_a_key_fits_a_nova_tag(role, attempt):
    key = naming.key(str(uuid.uuid4()), role, attempt)
    for tag in naming.tags(key, "d" * 43):
        assert len(tag) <= 60
        assert not set(tag) & set(",/")


def test_a_rules_range_is_told_without_host_bits():
    rule = protocol.Rule("ingress", "tcp", 3306, "10.1.2.3/8")
    assert rule == protocol.Rule("ingress", "tcp", 3306, "10.0.0.0/8")
    assert protocol.Rule("egress", cidr="192.0.2.1").cidr == "192.0.2.1/32"

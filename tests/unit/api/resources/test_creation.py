# SPDX-License-Identifier: Apache-2.0
"""What a create's body means, beyond its schema."""

import pytest

from trove import errors
from trove.api.resources import creation


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "1.2.3.4", "2001:db8::/32", "::/0"])
def test_ranges_of_both_kinds(cidr: str) -> None:
    stored = creation.access({"allowed_cidrs": [cidr]})
    assert stored == {"is_public": False, "allowed_cidrs": [cidr]}


@pytest.mark.parametrize("cidr", ["1.2.3.4/33", "256.1.1.1", "::/129", "1:2", "..."])
def test_what_only_looks_like_a_range(cidr: str) -> None:
    with pytest.raises(errors.Invalid, match="no range"):
        creation.access({"allowed_cidrs": [cidr]})

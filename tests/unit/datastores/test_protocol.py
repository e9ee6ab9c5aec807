# SPDX-License-Identifier: Apache-2.0
"""What the protocol's values show of themselves."""

from trove.datastores.protocol import Account


def test_a_password_is_in_no_repr():
    assert "hidden" not in repr(Account("a", "%", (), "hidden"))

# SPDX-License-Identifier: Apache-2.0
"""What an op does not declare, its handler cannot read."""

import pytest

from trove.api.queries import PAGING, Queries


def test_what_is_declared_is_read_and_nothing_else() -> None:
    asked = Queries({"limit": "5", "colour": "red"}, PAGING)
    assert asked.get("limit") == "5"
    assert asked.get("marker") is None
    assert dict(asked) == {"limit": "5"} and len(asked) == 1
    assert asked.given["colour"] == "red"
    with pytest.raises(LookupError, match="colour"):
        asked.get("colour")
    with pytest.raises(LookupError, match="colour"):
        assert "colour" in asked

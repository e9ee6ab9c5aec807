# SPDX-License-Identifier: Apache-2.0
"""What an op does not declare, its handler cannot read."""

import pytest

from trove import errors
from trove.api.queries import PAGING, TRUTH, Queries, Query


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


def test_a_truth_is_one_or_the_other_or_was_not_said() -> None:
    declared = (Query("keep", "", TRUTH), Query("other", "", TRUTH))
    for text, value in {"true": True, "1": True, "False": False, "0": False}.items():
        assert Queries({"keep": text}, declared).truth("keep") is value
    assert Queries({"keep": "1"}, declared).truth("other") is None
    for text in ("", "yes", "2", "tru\u0435", "true "):
        with pytest.raises(errors.Invalid, match="keep"):
            Queries({"keep": text}, declared).truth("keep")
    with pytest.raises(LookupError):
        Queries({"keep": "1"}).truth("keep")

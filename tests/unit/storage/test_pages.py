# SPDX-License-Identifier: Apache-2.0
"""Lists in pages: each object once, and an end."""

import pytest

from trove import errors
from trove.storage import pages
from trove.storage.vault.protocol import Stored


def rows(*names):
    return [Stored(name, 1, "") for name in names]


def test_each_page_begins_after_the_last_name_of_the_one_before():
    asked = []
    kept = {"": rows("a", "b"), "b": rows("c"), "c": []}

    def page(after):
        asked.append(after)
        return kept[after]

    assert [one.name for one in pages.through(page)] == ["a", "b", "c"]
    assert asked == ["", "b", "c"]


@pytest.mark.parametrize("again", [("a", "b"), ("b",), ("c", "c"), ("d", "c"), ("",)])
def test_a_list_that_does_not_go_forward_has_no_end(again):
    """What lags shows what is gone: that is no reason to go on for ever."""
    answers = iter([rows("a", "b")])
    seen = []
    with pytest.raises(errors.Upstream, match="no end"):
        for one in pages.through(lambda after: next(answers, rows(*again))):
            seen.append(one.name)
    assert seen == sorted(set(seen))

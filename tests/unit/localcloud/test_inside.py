# SPDX-License-Identifier: Apache-2.0
"""A program inside an image is alone in it, and ends with it."""

import pathlib
import sys

from trove.localcloud import inside


def test_it_is_run_in_spaces_of_its_own():
    layers = [pathlib.Path("/agent"), pathlib.Path("/base")]
    words = inside.command(layers, pathlib.Path("/scratch"), "id", "-u")
    split = words.index("--")
    assert words[0] == "unshare"
    assert {"--mount", "--net", "--pid", "--kill-child"} <= set(words[1:split])
    assert words[split + 1 :] == (
        *(sys.executable, "-m", "trove.localcloud.inside"),
        *("/agent:/base", "/scratch", "id", "-u"),
    )

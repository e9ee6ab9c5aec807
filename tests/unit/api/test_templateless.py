# SPDX-License-Identifier: Apache-2.0
"""The API loads nothing that only pages need, and hides it from nobody."""

import subprocess
import sys

LOADED = """
import sys
from trove.api import templateless
print(*[m for m in ("genshi", "kajiki", "pygments") if m in sys.modules])
import pygments
"""


def test_what_is_not_loaded_is_not_hidden_either():
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []

# SPDX-License-Identifier: Apache-2.0
"""oslo.messaging can be loaded without eventlet, and silently."""

import subprocess
import sys

LOOK = """
import sys
from trove.service import threads
threads.prepare()
import oslo_messaging
from oslo_service import backend
print(backend.get_backend_type().value, "eventlet.hubs.hub" in sys.modules)
"""


def test_threads_without_a_word():
    done = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == "threading"
    assert done.stderr == ""

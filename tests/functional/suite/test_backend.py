# SPDX-License-Identifier: Apache-2.0
"""The process of this suite is of the backend that its configuration asks for."""

import os
import socket

from trove.service import concurrency


def test_the_process_has_the_backend_that_was_asked_for():
    asked = os.environ["TROVE_FUNCTIONAL_BACKEND"]
    assert concurrency.is_green() == (asked == "eventlet")
    green = socket.socket.__module__.startswith("eventlet")
    assert green == (asked == "eventlet")

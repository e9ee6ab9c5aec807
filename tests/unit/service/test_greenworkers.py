# SPDX-License-Identifier: Apache-2.0
"""Readiness and its end, as both backends say them (serving: test_wsgiserver)."""

import os

from trove.service import greenworkers


def test_ready_and_gone(tmp_path):
    ready = tmp_path / "ready"
    greenworkers.say_ready(str(ready))
    assert ready.read_text().strip() == str(os.getpid())
    greenworkers.say_gone(str(ready))
    assert not ready.exists()
    greenworkers.say_gone(str(ready))

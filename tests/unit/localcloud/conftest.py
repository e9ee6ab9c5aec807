# SPDX-License-Identifier: Apache-2.0
"""A host that records what it is asked, and a store on a clock of the test's own."""

import pytest

from trove.localcloud import programs, store


class RecordingHost:
    """Answers by the beginning of what is run; fails where it is told to."""

    def __init__(self):
        self.asked = []
        self.given = []
        self.answers = {}
        self.failures = set()

    def run(self, *argv, given=None, ok=(0,), within=60):
        self.asked.append(argv)
        self.given.append(given)
        line = " ".join(argv)
        for words in self.failures:
            if words in line:
                raise programs.ProgramFailed(line, 1, "told to fail")
        for words, answer in self.answers.items():
            if words in line:
                return answer(argv) if callable(answer) else answer
        return ""

    def status(self, *argv, within=60):
        try:
            self.run(*argv)
        except programs.ProgramFailed:
            return 1
        return 0

    def lines(self):
        return [" ".join(argv) for argv in self.asked]


@pytest.fixture
def host():
    return RecordingHost()


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        self.now += 0.001
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rows(tmp_path, clock):
    made = store.Store(tmp_path / "cloud.sqlite", clock)
    yield made
    made.close()

# SPDX-License-Identifier: Apache-2.0
"""A conversation with a Valkey that is on paper: it notes what is said."""

import libvalkey
import pytest


class PaperTalk:
    """``answers`` are replies by the first words of a command; else it says OK."""

    def __init__(self):
        self.said = []
        self.answers = {}

    def ask(self, *words, within):
        self.said.append(words)
        text = " ".join(map(str, words))
        for start in sorted(self.answers, key=len, reverse=True):
            if text.startswith(start):
                answer = self.answers[start]
                answer = answer(words) if callable(answer) else answer
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return [] if text == "EXEC" else "OK"

    def pairs(self, *words, within):
        said = iter(self.ask(*words, within=within))
        return dict(zip(said, said, strict=True))

    def close(self):
        self.said.append(("closed",))


@pytest.fixture
def talk():
    return PaperTalk()


@pytest.fixture
def refusal():
    return libvalkey.ReplyError

# SPDX-License-Identifier: Apache-2.0
"""Log lines in which nobody else's words can begin another line or steer a terminal.

Users' and guests' words end in messages: a name, a fault. What does not print is
written as Python writes it (``\\n``, ``\\x1b``). Tracebacks keep their lines.
"""

import logging


def plain(text: str) -> str:
    """The text without a character that does not print."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


class Line(logging.LogRecord):
    """A record whose message is one line."""

    def getMessage(self) -> str:
        return plain(super().getMessage())


def be_plain() -> None:
    """From now on, every record of this process is a ``Line``."""
    logging.setLogRecordFactory(Line)

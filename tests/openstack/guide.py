# SPDX-License-Identifier: Apache-2.0
"""What doc/install says to type and to write, in its order.

A paragraph that ends in ``::`` is followed by commands. A ``code-block`` with a caption
is (a part of) the file of that name; one without is for some clouds only, and is not
carried out.
"""

import dataclasses
import pathlib
import re
import textwrap

PAGE = pathlib.Path(__file__).parents[2] / "doc/install/index.rst"
_BLOCK = re.compile(
    r"^(?P<head>\.\. code-block:: \w+\n(?: +:caption: (?P<file>\S+)\n)?|.*::\n)\n"
    r"(?P<text>(?:(?: {4}.*)?\n)+)",
    re.MULTILINE,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """Commands, or what is written to the end of ``file``."""

    text: str
    file: str | None = None

    def begins(self, words: str) -> bool:
        return self.text.startswith(words)


def blocks(page: str) -> list[Block]:
    """All that is carried out."""
    found = []
    for block in _BLOCK.finditer(page):
        text = textwrap.dedent(block["text"]).strip("\n") + "\n"
        if not block["head"].startswith("..") or block["file"]:
            found.append(Block(text, block["file"]))
    return found

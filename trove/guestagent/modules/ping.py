# SPDX-License-Identifier: Apache-2.0
"""ping: a module that does nothing but answer, to see that modules arrive.

Its contents are lines of ``key = value``; the value of ``message`` is answered.
"""

import configparser

from trove.guestagent.modules.protocol import Module, ModuleRefused

LONGEST = 1024


class Ping:
    """Answers with the message."""

    def apply(self, module: Module) -> str:
        """The message in the contents."""
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string("[ping]\n" + module.contents.decode("utf-8"))
            message = parser["ping"]["message"]
        except (UnicodeDecodeError, configparser.Error, KeyError):
            raise ModuleRefused(
                why="the contents must be text with a line 'message = ...'"
            ) from None
        if not message or len(message) > LONGEST or not message.isprintable():
            raise ModuleRefused(
                why=f"the message must be one printable line of 1 to {LONGEST} "
                "characters"
            )
        return message

    def remove(self, module: Module) -> str:
        """There is nothing to take away."""
        return "removed"

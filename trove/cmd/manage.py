# SPDX-License-Identifier: Apache-2.0
"""trove-manage: an operator's tool for the database, the datastores and operations.

Exit codes: 0 done, 1 it did not work, 2 the command line is wrong, 3 something is not
as it should be: the audit found a violation, ``db version`` missing migrations,
``quota recount`` a wrong counter, ``broker prepare --check`` a difference,
``archives lag --fail-above`` a log that is broken or too far behind.
"""

import argparse
import collections.abc
import contextlib
import logging
import os
import sys
import typing

from oslo_config import cfg

from trove import config, errors
from trove.cmd import (
    manage_archives,
    manage_audit,
    manage_broker,
    manage_data,
    manage_files,
    manage_operations,
    manage_parameters,
    manage_quotas,
)
from trove.cmd.manage_output import Output
from trove.config import database as database_options
from trove.db import dialects, types
from trove.db.session import Database

FAILED, MISUSED = 1, 2

PARTS = (
    manage_data,
    manage_quotas,
    manage_files,
    manage_broker,
    manage_operations,
    manage_parameters,
    manage_archives,
    manage_audit,
)


class Manage:
    """What a command is handed: its arguments, and what it may open with them."""

    def __init__(self, asked: argparse.Namespace, out: Output) -> None:
        self.asked, self.out = asked, out
        self._conf: cfg.ConfigOpts | None = None
        self._opened = contextlib.ExitStack()

    def close(self) -> None:
        """Leaves the databases that were opened, so that none says it was cut off."""
        self._opened.close()

    @property
    def conf(self) -> cfg.ConfigOpts:
        """The options of the control plane; read when a command needs them."""
        if self._conf is None:
            files = [f"--config-file={path}" for path in self.asked.config_file or ()]
            self._conf = config.parse("manage", files)
            config.register(self._conf, "cloud", "rpc", "quota", "backup")
            # what it did is said by us, in one sentence
            logging.getLogger("alembic").setLevel(logging.WARNING)
        return self._conf

    def database(
        self, *, timeout: float | None = None, sealed: bool = False
    ) -> Database:
        """The control database; ``sealed``: with its keys, to write what is sealed."""
        arguments = database_options.arguments(self.conf)
        if self.asked.database:
            arguments["url"] = self.asked.database
        if timeout is not None:
            arguments["timeout"] = timeout
        if sealed:
            types.use_keys(self.conf.database.seal_keys)
        made = Database(**arguments)
        self._opened.callback(made.close)
        return made


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser("trove-manage", description=__doc__)
    top.add_argument(
        "--config-file",
        action="append",
        metavar="FILE",
        help="a configuration file, instead of /etc/trove/trove.conf; may be repeated",
    )
    top.add_argument(
        "--database",
        metavar="URL",
        help="the database, instead of [database] connection. A password in it can be "
        "seen by others on this machine: use the configuration file for that.",
    )
    top.add_argument("--json", action="store_true", help="answer in JSON")
    nouns = top.add_subparsers(dest="noun", metavar="COMMAND", required=True)
    for part in PARTS:
        part.add_to(nouns)
    _say_json(nouns)
    return top


def _say_json(nouns: typing.Any) -> None:
    """``--json`` may also be said at the end, where people say it."""
    for parser in {id(one): one for one in nouns.choices.values()}.values():
        deeper = [
            action
            for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
        ]
        for action in deeper:
            _say_json(action)
        if not deeper:
            parser.add_argument(
                "--json",
                action="store_true",
                default=argparse.SUPPRESS,
                help="answer in JSON",
            )


def main(argv: collections.abc.Sequence[str] | None = None) -> int:
    """Runs one command; its exit code."""
    asked = parser().parse_args(argv)
    out = Output(as_json=asked.json)
    do: typing.Callable[[Manage], int | None] = asked.do
    try:
        with contextlib.closing(Manage(asked, out)) as manage:
            return do(manage) or 0
    except errors.TroveError as error:
        out.error(error.message)
    except dialects.Trouble as error:
        out.error(f"the database refused: {_first_line(error)}")
    except cfg.Error as error:
        out.error(f"the configuration cannot be read: {_first_line(error)}")
        return MISUSED
    except BrokenPipeError:  # who read our output has enough: 'list | head'
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError) as error:
        out.error(str(error))
    return FAILED


def _first_line(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())

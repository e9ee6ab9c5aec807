# SPDX-License-Identifier: Apache-2.0
"""trove-api: patch, configure, serve the paste pipeline until SIGTERM."""

import sys
import typing

from trove.service import concurrency


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The process; its arguments are those of oslo.config."""
    argv = sys.argv[1:] if argv is None else argv
    concurrency.prepare(argv, "trove-api")
    return _run(argv)


def _run(argv: typing.Sequence[str]) -> int:
    # Loaded here: nothing of this may be imported before the patching above.
    from trove import config
    from trove.config import listen
    from trove.service import loglines, wsgiserver

    loglines.be_plain()
    conf = config.parse("api", argv)

    def load() -> wsgiserver.Application:
        from trove.api import app

        application: wsgiserver.Application = app.load(
            conf.listen.paste_config, conf.listen.application
        )
        return application

    return wsgiserver.serve(load, wsgiserver.Listen(**listen.arguments(conf)))


if __name__ == "__main__":
    sys.exit(main())

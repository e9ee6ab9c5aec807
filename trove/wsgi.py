# SPDX-License-Identifier: Apache-2.0
"""``application``, for any WSGI server: ``gunicorn trove.wsgi:application``.

The options come from the usual files, or from those that ``TROVE_CONFIG_FILES`` names
(separated like a PATH).
"""

import os

from trove.service import threads

threads.prepare()  # before anything of oslo's is loaded: else that loads eventlet

from trove import config  # noqa: E402
from trove.api import app  # noqa: E402
from trove.service import loglines  # noqa: E402

_files = [file for file in os.environ.get("TROVE_CONFIG_FILES", "").split(":") if file]
loglines.be_plain()
_conf = config.parse("api", [f"--config-file={file}" for file in _files])

application = app.load(_conf.listen.paste_config, _conf.listen.application)

# SPDX-License-Identifier: Apache-2.0
"""``application``, for any WSGI server: ``gunicorn trove.wsgi:application``.

The options come from the usual files, or from those that ``TROVE_CONFIG_FILES`` names
(separated like a PATH).
"""

import os

from trove import config
from trove.api import app
from trove.service import loglines

_files = [file for file in os.environ.get("TROVE_CONFIG_FILES", "").split(":") if file]
loglines.be_plain()
_conf = config.parse("api", [f"--config-file={file}" for file in _files])

application = app.load(_conf.listen.paste_config, _conf.listen.application)

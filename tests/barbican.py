# SPDX-License-Identifier: Apache-2.0
"""A real Barbican for as long as a test, in an environment of its own.

Its own crypto plugin, SQLite, no queue: what is ordered is made before the answer. Who
asks is told by its Keystone middleware, or (with no Keystone) by the headers that this
would have set.
"""

import base64
import contextlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import time
import typing

import requests

from tests.keystone import made_here

UP = 60.0
CONF = """\
[DEFAULT]
host_href = {url}
db_auto_create = true
[database]
connection = sqlite:///{home}/barbican.sqlite
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = {key}
[queue]
enable = false
[keystone_authtoken]
auth_type = password
www_authenticate_uri = {keystone}
auth_url = {keystone}
username = barbican
password = secret
user_domain_name = Default
project_name = service
project_domain_name = Default
"""
PASTE = """\
[composite:main]
use = egg:Paste#urlmap
/: barbican_version
/v1: barbican-api
[pipeline:barbican_version]
pipeline = microversion versionapp
[pipeline:barbican-api]
pipeline = {filters} context microversion apiapp
[app:apiapp]
paste.app_factory = barbican.api.app:create_main_app
[app:versionapp]
paste.app_factory = barbican.api.app:create_version_app
[filter:context]
paste.filter_factory = {middleware}.context:ContextMiddleware.factory
[filter:microversion]
paste.filter_factory = {middleware}.microversion:MicroversionMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""
SERVE = """\
import sys
port, sys.argv = int(sys.argv[1]), ["barbican-api"]
from paste import deploy
application = deploy.loadapp("config:{home}/paste.ini", name="main")
from wsgiref import simple_server
simple_server.make_server("127.0.0.1", port, application).serve_forever()
"""


def venv() -> pathlib.Path | None:
    """Its environment: as named, else the newest that ``bin/bootstrap`` made here."""
    return made_here("barbican", "TROVE_BARBICAN_VENV")


class Barbican:
    """It serves between ``start`` and ``stop``, with the same secrets each time.

    ``port`` is taken when this is made, so that a Keystone may name it.
    """

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, keystone: str | None = None) -> None:
        """Its files."""
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        about = {
            "url": self.url,
            "home": self.home,
            "key": key,
            "keystone": keystone,
            "filters": "authtoken" if keystone else "",
            "middleware": "barbican.api.middleware",
        }
        place = self.home / ".barbican"
        place.mkdir()  # its plugins look for themselves, at home
        (place / "barbican.conf").write_text(CONF.format(**about))
        (self.home / "paste.ini").write_text(PASTE.format(**about))
        (self.home / "serve.py").write_text(SERVE.format(**about))

    def start(self) -> None:
        """Until it answers."""
        log = self.home / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [f"{venv()}/bin/python", str(self.home / "serve.py"), str(self.port)],
                env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        end = time.monotonic() + UP
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(self.url, timeout=5).close()
                return
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < end, "Barbican does not come up"
            time.sleep(0.1)

    def halt(self) -> None:
        """It takes connections, and says nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """After ``halt``."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ended, whichever way."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@contextlib.contextmanager
def running(
    home: pathlib.Path, keystone: str | None = None
) -> typing.Iterator[Barbican]:
    """One until the end of the block."""
    made = Barbican(home)
    made.write(keystone)
    made.start()
    try:
        yield made
    finally:
        made.stop()

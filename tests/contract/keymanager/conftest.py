# SPDX-License-Identifier: Apache-2.0
"""The key manager of the one-machine cloud, and a real Barbican where there is one.

``TROVE_BARBICAN_VENV`` names an environment that ``pip install barbican`` was done in:
that takes a minute, so that nobody is made to. Both are told who asks by the headers
that Keystone's middleware would have set.
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

import pytest
import requests

from tests.keymanager import serving

VENV = os.environ.get("TROVE_BARBICAN_VENV")

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
"""
PASTE = """\
[composite:main]
use = egg:Paste#urlmap
/: barbican_version
/v1: barbican-api
[pipeline:barbican_version]
pipeline = versionapp
[pipeline:barbican-api]
pipeline = context apiapp
[app:apiapp]
paste.app_factory = barbican.api.app:create_main_app
[app:versionapp]
paste.app_factory = barbican.api.app:create_version_app
[filter:context]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory
"""
SERVE = """\
import sys
port, sys.argv = int(sys.argv[1]), ["barbican-api"]
from paste import deploy
application = deploy.loadapp("config:{home}/paste.ini", name="main")
from wsgiref import simple_server
simple_server.make_server("127.0.0.1", port, application).serve_forever()
"""


class Client:
    """Asks as somebody of a project."""

    def __init__(self, endpoint, token):
        self.endpoint, self._token = endpoint, token

    def __call__(self, verb, path="", body=None, who="p1", roles="member", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        about = {"json": body} if isinstance(body, dict) else {"data": body}
        return requests.request(
            verb,
            f"{self.endpoint}/v1/secrets{path}",
            headers={**self._token(who, roles), **headers},
            timeout=20,
            allow_redirects=False,
            **about,
        )

    def made(self, **about):
        """The path of a new secret, below the secrets."""
        said = self("POST", body=about)
        assert said.status_code == 201, said.text
        reference = said.json()["secret_ref"]
        assert reference.startswith(f"{self.endpoint}/v1/secrets/")
        return "/" + reference.rpartition("/")[2]

    def binary(self, data, **about):
        text = base64.b64encode(data).decode()
        kind = "application/octet-stream"
        return self.made(
            payload=text,
            payload_content_type=kind,
            payload_content_encoding="base64",
            **about,
        )

    def text(self, text, **about):
        return self.made(payload=text, payload_content_type="text/plain", **about)


def _confirmed(project, roles):
    return {
        "X-Identity-Status": "Confirmed",
        "X-Project-Id": project,
        "X-User-Id": "u",
        "X-Roles": roles,
    }


@contextlib.contextmanager
def _real(home: pathlib.Path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    (home / ".barbican").mkdir()  # its plugins look for themselves, at home
    conf = CONF.format(url=url, home=home, key=key)
    (home / ".barbican/barbican.conf").write_text(conf)
    (home / "paste.ini").write_text(PASTE)
    (home / "serve.py").write_text(SERVE.format(home=home))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [f"{VENV}/bin/python", str(home / "serve.py"), str(port)],
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
            cwd=home,
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(url, timeout=5)
                break
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < end, "Barbican does not come up"
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="module", params=["ours", *(["real"] if VENV else [])])
def keys(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("keys")
    if request.param == "real":
        with _real(home) as url:
            yield Client(url, _confirmed)
    else:
        with serving(home) as ours:
            token = lambda who, roles: {"X-Auth-Token": f"{who}/{roles}"}  # noqa: E731
            yield Client(ours.endpoint, token)

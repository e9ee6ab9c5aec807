# SPDX-License-Identifier: Apache-2.0
"""The key manager of the one-machine cloud, and a real Barbican where there is one.

Both are told who asks by the headers that Keystone's middleware would have set.
"""

import base64

import pytest
import requests

from tests import barbican
from tests.keymanager import serving


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


@pytest.fixture(scope="module", params=["ours", *(["real"] if barbican.venv() else [])])
def keys(request, tmp_path_factory):
    home = tmp_path_factory.mktemp("keys")
    if request.param == "real":
        with barbican.running(home) as real:
            yield Client(real.url, _confirmed)
    else:
        with serving(home) as ours:
            token = lambda who, roles: {"X-Auth-Token": f"{who}/{roles}"}  # noqa: E731
            yield Client(ours.endpoint, token)

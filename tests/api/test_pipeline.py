# SPDX-License-Identifier: Apache-2.0
"""The pipeline of etc/trove/api-paste.ini, with the real keystonemiddleware in it."""

import os
import pathlib
import subprocess
import sys
import typing
from collections.abc import Iterator

import pytest
import webob
from cryptography import fernet
from keystoneauth1 import loading
from oslo_config import cfg

from tests.api.keystone import Keystone
from trove import config
from trove.api import app
from trove.db.tables import Record

ROOT = pathlib.Path(__file__).parents[2]
PASTE = ROOT / "etc" / "trove" / "api-paste.ini"

Ask = typing.Callable[..., webob.Response]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Sends a request through everything."""
    home = tmp_path_factory.mktemp("pipeline")
    (home / "keys").write_bytes(fernet.Fernet.generate_key())
    with Keystone() as url:
        file = home / "trove.conf"
        file.write_text(
            f"""
[database]
connection = sqlite:///{home}/trove.sqlite
seal_keys = {home}/keys
[cloud]
name = memory
[api]
post_rate = 2
[healthcheck]
detailed = false
[oslo_middleware]
max_request_body_size = 2000
enable_proxy_headers_parsing = true
[cors]
allowed_origin = https://horizon.example.org
[keystone_authtoken]
auth_type = password
auth_url = {url}
www_authenticate_uri = {url}
username = trove
password = p
project_name = service
user_domain_name = Default
project_domain_name = Default
"""
        )
        conf = config.parse("api", [f"--config-file={file}"], cfg.CONF)
        Record.metadata.create_all(app.shared().database.engine)
        application = app.load(str(PASTE))
        assert conf is cfg.CONF

        def send(
            method: str, path: str, body: bytes = b"", **headers: str
        ) -> webob.Response:
            request = webob.Request.blank(path, method=method, body=body)
            if body:
                request.content_type = "application/json"
            for name, value in headers.items():
                request.headers[name.replace("_", "-")] = value
            return request.get_response(application)

        yield send
        app.shared().database.close()
    app.shared.cache_clear()
    app._shared_policy.cache_clear()
    cfg.CONF.reset()
    # auth_token registers its plugin's options, required ones too, process-wide
    cfg.CONF.unregister_opts(
        loading.get_auth_plugin_conf_options("password"), group="keystone_authtoken"
    )


LIST = "/v1.0/demo0000/instances"


def test_a_token_is_a_member_of_its_project(ask: Ask) -> None:
    answer = ask("GET", LIST, X_Auth_Token="demo-token")
    assert answer.status_int == 200
    assert answer.json == {"instances": []}
    assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_forged_headers_are_not_believed(ask: Ask) -> None:
    forged = {
        "X_Identity_Status": "Confirmed",
        "X_Project_Id": "demo0000",
        "X_User_Id": "u",
        "X_Roles": "admin,member",
        "X_Is_Admin_Project": "True",
    }
    answer = ask("GET", LIST, **forged)
    assert answer.status_int == 401
    assert answer.json["unauthorized"]["code"] == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri")
    assert ask("GET", LIST, X_Auth_Token="nonsense", **forged).status_int == 401
    # a member who calls himself an admin stays a member
    forged["X_Auth_Token"] = "demo-token"
    other = ask("GET", "/v1.0/demo0000/mgmt/quotas/other000", **forged)
    assert other.status_int == 403
    forged["X_Project_Id"] = "other000"
    assert ask("GET", "/v1.0/other000/instances", **forged).status_int == 403


def test_the_401_is_xml_for_who_wants_it(ask: Ask) -> None:
    answer = ask("GET", LIST, Accept="application/xml")
    assert answer.status_int == 401
    assert answer.content_type == "application/xml"
    assert b"<unauthorized" in answer.body


def test_versions_ask_for_no_token(ask: Ask) -> None:
    assert ask("GET", "/").json["versions"][0]["id"] == "v1.0"
    assert ask("GET", "/v1.0").json["version"]["status"] == "CURRENT"


def test_a_proxys_headers_are_in_the_links(ask: Ask) -> None:
    answer = ask(
        "GET", "/", X_Forwarded_Proto="https", X_Forwarded_Host="db.example.org"
    )
    href = answer.json["versions"][0]["links"][0]["href"]
    assert href == "https://db.example.org/v1.0/"


def test_too_large_a_body(ask: Ask) -> None:
    answer = ask("POST", LIST, b"x" * 3000, X_Auth_Token="demo-token")
    assert answer.status_int == 413
    assert answer.json["overLimit"]["code"] == 413


def test_too_many_requests(ask: Ask) -> None:
    answers = [ask("POST", LIST, b"{}", X_Auth_Token="demo-token") for _ in range(3)]
    assert [each.status_int for each in answers] == [400, 400, 413]
    fault = answers[-1].json["overLimit"]
    assert fault["message"] == "This request was rate-limited."
    assert fault["details"] == ("Only 2 POST request(s) can be made to * every minute.")
    assert fault["retryAfter"] == answers[-1].headers["Retry-After"]
    limits = ask("GET", "/v1.0/demo0000/limits", X_Auth_Token="demo-token").json
    verbs = [(each["verb"], each.get("uri")) for each in limits["limits"]]
    assert verbs == [
        ("ABSOLUTE", None),
        ("POST", "*"),
        ("PUT", "*"),
        ("DELETE", "*"),
        ("GET", "*"),
        ("POST", "*/mgmt"),
    ]
    post = limits["limits"][1]
    assert (post["value"], post["remaining"], post["unit"]) == (2, 0, "MINUTE")
    assert post["nextAvailable"].endswith("Z")


def test_cors(ask: Ask) -> None:
    answer = ask(
        "OPTIONS",
        LIST,
        Origin="https://horizon.example.org",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="X-Auth-Token",
    )
    assert answer.status_int == 200
    allowed = answer.headers["Access-Control-Allow-Origin"]
    assert allowed == "https://horizon.example.org"


def test_the_health_check_looks_at_the_database(ask: Ask) -> None:
    answer = ask("GET", "/healthcheck", Accept="application/json")
    assert answer.status_int == 200
    assert "The database answers" in answer.json["reasons"]


def test_any_wsgi_server_finds_the_application(tmp_path: pathlib.Path) -> None:
    (tmp_path / "keys").write_bytes(fernet.Fernet.generate_key())
    file = tmp_path / "trove.conf"
    file.write_text(
        f"[listen]\npaste_config = {PASTE}\n[cloud]\nname = memory\n"
        f"[database]\nconnection = sqlite:///{tmp_path}/x\n"
        f"seal_keys = {tmp_path}/keys\n"
        "[keystone_authtoken]\nwww_authenticate_uri = http://127.0.0.1:1\n"
    )
    script = (
        "import webob, trove.wsgi as w;"
        "print(webob.Request.blank('/').get_response(w.application).status)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**os.environ, "TROVE_CONFIG_FILES": str(file)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.endswith("200 OK\n")

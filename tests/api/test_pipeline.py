# SPDX-License-Identifier: Apache-2.0
"""The pipeline of etc/trove/api-paste.ini, with the real keystonemiddleware in it."""

import collections
import gc
import logging
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import typing
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import webob
from cryptography import fernet
from keystoneauth1 import loading
from oslo_config import cfg

from tests.api import keystone
from tests.api.keystone import Keystone
from trove import config
from trove.api import app
from trove.db.tables import Record

ROOT = pathlib.Path(__file__).parents[2]
PASTE = ROOT / "etc" / "trove" / "api-paste.ini"

LIST = "/v1.0/demo0000/instances"
FLOOD, RATE = 10_000, 60

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
unauthenticated_rate = {RATE}
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


def test_a_flood_without_a_token_costs_keystone_a_bounded_number(ask: Ask) -> None:
    """S20: nothing is kept of 10,000, and Keystone hears of as many as the rate says.

    What the nearest proxy says counts, whatever a client made up before it.
    """
    from_there = {"X_Forwarded_For": "203.0.113.9"}
    first = ask("GET", LIST, X_Auth_Token="demo-token", **from_there)
    assert first.status_int == 200
    before, began, rows = len(keystone.CALLS), time.monotonic(), _rows()
    statuses: collections.Counter[int] = collections.Counter()

    def grown(round: int) -> int:
        gc.collect()
        had = sys.getallocatedblocks()
        for number in range(FLOOD // 4):
            answer = ask(
                "POST" if number % 2 else "GET",
                LIST,
                X_Auth_Token=f"token-{round}-{number}",
                X_Forwarded_For=f"198.51.100.{number % 250}, 203.0.113.9",
            )
            statuses[answer.status_int] += 1
        gc.collect()
        return sys.getallocatedblocks() - had

    logging.disable(logging.CRITICAL)  # a test's capture keeps each record
    try:
        rounds = [grown(round) for round in range(4)]
    finally:
        logging.disable(logging.NOTSET)
    most = RATE + RATE * (time.monotonic() - began) / 60 + 1
    assert set(statuses) == {401, 413} and statuses[401] <= most, statuses
    assert len(keystone.CALLS) - before <= 2 * most  # a token's, and our own token's
    assert min(rounds) < 500, rounds
    assert _rows() == rows
    while ask("GET", LIST, **from_there).status_int == 401:
        pass  # a second has made room for one
    refused = ask("GET", LIST, X_Auth_Token="demo-token", **from_there)
    assert refused.status_int == 413
    fault = refused.json["overLimit"]
    assert "without a valid token" in fault["details"]
    assert fault["retryAfter"] == refused.headers["Retry-After"]
    assert ask("GET", "/", **from_there).status_int == 200  # versions are anybody's
    elsewhere = ask(
        "GET", LIST, X_Auth_Token="demo-token", X_Forwarded_For="203.0.113.10"
    )
    assert elsewhere.status_int == 200


def _rows() -> int:
    tables = Record.metadata.tables.values()
    with app.shared().database.reading() as tx:
        return sum(
            tx.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in tables
        )


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


@pytest.fixture
def configured(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a server that is told where the options are."""
    (tmp_path / "keys").write_bytes(fernet.Fernet.generate_key())
    file = tmp_path / "trove.conf"
    file.write_text(
        f"[listen]\npaste_config = {PASTE}\n[cloud]\nname = memory\n"
        f"[database]\nconnection = sqlite:///{tmp_path}/x\n"
        f"seal_keys = {tmp_path}/keys\n"
        "[keystone_authtoken]\nwww_authenticate_uri = http://127.0.0.1:1\n"
    )
    return {**os.environ, "TROVE_CONFIG_FILES": str(file)}


def test_any_wsgi_server_finds_the_application(configured: dict[str, str]) -> None:
    script = (
        "import webob, trove.wsgi as w;"
        "print(webob.Request.blank('/').get_response(w.application).status)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=configured,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.endswith("200 OK\n")


def _asked(path: pathlib.Path, request: bytes) -> bytes:
    """The whole answer at a socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(60)
        line.connect(str(path))
        line.sendall(request)
        return b"".join(iter(lambda: line.recv(65536), b""))


def gunicorn(place: pathlib.Path) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "--bind", f"unix:{place}"),
        *("--workers", "2", "--threads", "4", "trove.wsgi:application"),
    ]


def test_a_server_of_the_operators_is_of_threads(configured) -> None:
    """Its own: oslo.service would take eventlet for whoever does not say."""
    program = (
        "import sys, trove.wsgi; from oslo_service import backend;"
        "sys.exit(backend.get_backend_type() != backend.BackendType.THREADING)"
    )
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, env=configured, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0


def uwsgi(place: pathlib.Path) -> list[str]:
    if shutil.which("uwsgi") is None or sys.base_prefix != "/usr":
        pytest.skip("uwsgi-core and uwsgi-plugin-python3 are for Debian's Python")
    return [
        *("uwsgi", "--plugin", "python3", "--http-socket", str(place), "--master"),
        *("--processes", "2", "--threads", "4", "--enable-threads", "--lazy-apps"),
        *("--die-on-term", "--worker-reload-mercy", "15", "--virtualenv", sys.prefix),
        *("--module", "trove.wsgi:application"),
    ]


@pytest.mark.parametrize(
    ("command", "ready"),
    [(gunicorn, b"Booting worker"), (uwsgi, b"WSGI app 0 (mountpoint='') ready")],
)
def test_an_operators_own_server_serves_it(
    tmp_path: pathlib.Path,
    configured: dict[str, str],
    command: typing.Callable[[pathlib.Path], list[str]],
    ready: bytes,
) -> None:
    """As doc/install has it: it answers, and refuses who shows no token."""
    place = tmp_path / "s"
    with subprocess.Popen(
        command(place),
        env=configured,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stderr is not None
        try:
            for _ in range(2):  # one process each
                assert any(ready in line for line in server.stderr)
            said = _asked(place, b"GET / HTTP/1.0\r\n\r\n")
            assert b" 200 OK\r\n" in said and b'"v1.0"' in said
            name = b"GET /v1.0/p/instances/a%2Fb HTTP/1.0\r\n\r\n"
            assert b" 401 " in _asked(place, name).partition(b"\r\n")[0]
        finally:
            server.terminate()
            _, rest = server.communicate(timeout=60)
        assert server.returncode == 0, rest

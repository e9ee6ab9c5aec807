# SPDX-License-Identifier: Apache-2.0
"""What a guest does with a signed request, and what a store may do to it."""

import json
import socket
import subprocess
import sys
import time

import pytest

from tests.answering import privately, serving
from trove import errors
from trove.service.certificates import Authority
from trove.storage.vault import carry
from trove.storage.vault.protocol import Signed

SECRET = "/c/a?sig=s3cr3t"


@pytest.fixture
def server():
    with serving() as server:
        yield server


def both(server, **about):
    """The two calls, of a URL of this server."""
    signed = Signed(server.url + SECRET, {"If-None-Match": "*"})
    about = {"timeout": 20, **about}
    yield lambda: carry.put(signed, b"12345", **about)
    yield lambda: carry.get(signed, 5, **about)


ANSWERS = {
    204: errors.Upstream,
    206: errors.Upstream,
    301: errors.Upstream,
    302: errors.Upstream,
    307: errors.Upstream,
    400: errors.Upstream,
    401: errors.Forbidden,
    403: errors.Forbidden,
    404: errors.NotFound,
    408: errors.Unavailable,
    409: carry.Taken,
    412: carry.Taken,
    413: errors.Upstream,
    429: errors.Unavailable,
    500: errors.Unavailable,
    502: errors.Unavailable,
    503: errors.Unavailable,
    507: errors.Unavailable,
}


@pytest.mark.parametrize("status", ANSWERS)
def test_what_an_answer_means(server, status):
    server.deed = lambda request: request.say(status, Location=server.url + "/else")
    for call in both(server):
        with pytest.raises(ANSWERS[status]) as told:
            call()
        assert type(told.value) is ANSWERS[status]
        assert "s3cr3t" not in f"{told.value} {told.value!r} {told.value.facts}"
    # a redirect is not followed: it names somebody whom the control plane did not
    assert server.asked == [f"PUT {SECRET}", f"GET {SECRET}"]


@pytest.mark.parametrize("status", [200, 201])
def test_what_is_sent_is_what_was_signed(server, status):
    bodies = []
    server.deed = lambda request: (bodies.append(request.body()), request.say(status))
    put, _ = both(server)
    put()
    assert bodies == [b"12345"]
    heard = server.heard[0]
    assert heard["If-None-Match"] == "*" and heard["Content-Length"] == "5"
    carry.put(Signed(server.url + SECRET), b"", 20)
    assert bodies[1:] == [b""] and server.heard[1]["Content-Length"] == "0"


def test_the_proxies_of_the_environment_are_not_asked(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.deed = lambda request: (request.body(), request.say(200, b"12345"))
    put, get = both(server)
    put()
    assert get() == b"12345"


def test_who_does_not_listen_and_who_hangs_up(server):
    for deed in (lambda request: request.reset(), lambda request: None):
        server.deed = deed
        for call in both(server):
            with pytest.raises(errors.Unavailable):
                call()
    with pytest.raises(errors.Unavailable):
        carry.put(Signed("http://127.0.0.1:1/a"), b"", 20)


def test_a_refusal_is_heard_by_who_is_still_sending(server):
    """The store need not listen to all of what it does not take."""

    def deed(request):
        request.say(412)
        request.connection.shutdown(socket.SHUT_RDWR)

    server.deed = deed
    with pytest.raises(carry.Taken):
        carry.put(Signed(server.url + SECRET), bytes(20 << 20), 20)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
SLOWLY = {
    "no answer": lambda request: request.drip(b"", 0) or request.server.over.wait(30),
    "a header that never ends": lambda request: request.drip(HEAD + b"A" * 999, 0.05),
    "a body of days": lambda request: (
        request.wfile.write(HEAD.replace(b"5", b"500") + b"\r\n"),
        request.drip(b"x" * 500, 0.05),
    ),
}


def puts(url):
    carry.put(Signed(url), b"x", 0.4)


def gets(url):
    carry.get(Signed(url), 500, 0.4)


@pytest.mark.parametrize(
    "call, way",
    [
        (puts, "no answer"),
        (puts, "a header that never ends"),
        (gets, "no answer"),
        (gets, "a header that never ends"),
        (gets, "a body of days"),
    ],
)
def test_the_time_is_bounded_whatever_comes(server, call, way):
    server.deed = SLOWLY[way]
    began = time.monotonic()
    with pytest.raises(errors.Unavailable):
        call(server.url + SECRET)
    assert 0.3 < time.monotonic() - began < 5


def test_a_store_that_does_not_take_what_is_sent(server, monkeypatch):
    server.deed = lambda request: request.server.over.wait(30)
    monkeypatch.setattr(carry, "QUIET", 0.3)
    began = time.monotonic()
    with pytest.raises(errors.Unavailable):
        carry.put(Signed(server.url + SECRET), bytes(64 << 20), 60)
    assert time.monotonic() - began < 10


def test_what_is_of_another_size(server):
    signed = Signed(server.url + SECRET)
    server.deed = lambda request: request.say(200, b"12345")
    for size in (0, 4, 6):
        with pytest.raises(errors.Upstream, match=f"not of {size} B"):
            carry.get(signed, size, 20)
    assert carry.get(signed, 5, 20) == b"12345"
    # nobody said how much it is, and it does not end
    endless = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100
    server.deed = lambda request: request.wfile.write(endless)
    for size in (0, 99):
        with pytest.raises(errors.Upstream, match=f"not of {size} B"):
            carry.get(signed, size, 20)
    assert carry.get(signed, 100, 20) == b"x" * 100


def test_what_broke_off_is_worth_another_try(server):
    for text in (HEAD + b"\r\n123", HEAD[:20]):
        server.deed = lambda request, text=text: request.wfile.write(text)
        with pytest.raises(errors.Unavailable):
            carry.get(Signed(server.url + SECRET), 5, 20)


@pytest.fixture
def secure(tmp_path):
    """A server over TLS, for 127.0.0.1; and whom to trust for it."""
    with privately(tmp_path) as found:
        yield found


def test_tls_with_whom_we_trust_only(secure):
    server, authorities = secure
    server.deed = lambda request: (request.body(), request.say(200, b"12345"))
    put, get = both(server, authorities=authorities)
    put()
    assert get() == b"12345"
    for call in both(server):
        with pytest.raises(errors.Unavailable, match="SSLCertVerificationError"):
            call()
    for call in both(server, authorities="nobody"):
        with pytest.raises(errors.Invalid):
            call()
    other = Signed(server.url.replace("127.0.0.1", "localhost") + SECRET)
    with pytest.raises(errors.Unavailable, match="SSLCertVerificationError"):
        carry.get(other, 5, 20, authorities=authorities)


def test_who_is_trusted_by_the_machine_is_still(secure, tmp_path, monkeypatch):
    """A store with a public certificate, where the cloud itself has an authority."""
    server, authorities = secure
    (tmp_path / "machine.pem").write_text(authorities)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "machine.pem"))
    server.deed = lambda request: request.say(200, b"12345")
    other = Authority.create(tmp_path / "other").ca_pem
    signed = Signed(server.url + SECRET)
    assert carry.get(signed, 5, 20, authorities=other) == b"12345"


def test_the_time_is_bounded_over_tls_too(secure):
    server, authorities = secure
    server.deed = SLOWLY["a body of days"]
    began = time.monotonic()
    with pytest.raises(errors.Unavailable):
        carry.get(Signed(server.url + SECRET), 500, 0.5, authorities=authorities)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "url",
    [
        "",
        "c/a",
        "ftp://host/a",
        "http:///a",
        "http://host:port/a",
        "http://host:99999/a",
        "http://[host/a",
        "http://host/a b",
        "http://host/ä",
        "http://host/a\r\nX: y",
        "file:///etc/passwd",
    ],
)
def test_what_is_no_address(url):
    for call in (
        lambda: carry.put(Signed(url), b"", 20),
        lambda: carry.get(Signed(url), 1, 20),
    ):
        with pytest.raises(errors.Invalid):
            call()


def test_files_where_they_are_allowed(tmp_path):
    signed = Signed(f"file://{tmp_path}/a%20b")
    carry.put(signed, b"12345", 20, files=True)
    assert (tmp_path / "a b").read_bytes() == b"12345"
    assert carry.get(signed, 5, 20, files=True) == b"12345"
    with pytest.raises(carry.Taken):
        carry.put(signed, b"54321", 20, files=True)
    for size in (4, 6):
        with pytest.raises(errors.Upstream):
            carry.get(signed, size, 20, files=True)
    assert [each.name for each in tmp_path.iterdir()] == ["a b"]
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("link", "none", "../none/none"):
        with pytest.raises(errors.TroveError):
            carry.get(Signed(f"file://{tmp_path}/{name}"), 5, 20, files=True)
    for url in ("file://host/a", "file:///", "file:///a?b", "file:a", "file:///a#b"):
        with pytest.raises(errors.Invalid):
            carry.get(Signed(url), 5, 20, files=True)


LOOK = """
import json, sys
from trove.storage.vault import carry
print(json.dumps(sorted(sys.modules)))
"""


def test_it_loads_little():
    """It is for a guest, and for one that carries nothing too."""
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, check=True)
    modules = json.loads(done.stdout)
    ours = {name for name in modules if name.split(".")[0] == "trove"}
    assert ours == {
        "trove",
        "trove.errors",
        "trove.storage",
        "trove.storage.vault",
        "trove.storage.vault.carry",
        "trove.storage.vault.protocol",
    }
    never = {"boto3", "botocore", "http.client", "keystoneauth1", "requests", "ssl"}
    assert not never & set(modules)

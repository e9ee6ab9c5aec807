# SPDX-License-Identifier: Apache-2.0
"""A user's first look at a Valkey, which here is a server of a few words with TLS."""

import contextlib
import socket
import ssl
import threading

import pytest

from trove import errors
from trove.datastores.spec import Entrance
from trove.datastores.valkey import firststeps
from trove.service.certificates import Authority

INFO = b"# Server\r\nvalkey_version:8.1.1\r\nos:x\r\n"
WELCOME = (b"+OK\r\n", b"$%d\r\n%s\r\n" % (len(INFO), INFO))


@contextlib.contextmanager
def server(tmp_path, *answers):
    """Where it is entered, and what it heard."""
    Authority.create(tmp_path / "ca")
    text, key = Authority.load(tmp_path / "ca").server_certificate([], ["127.0.0.1"])
    (tmp_path / "pair.pem").write_text(key + text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve():
            peer, _ = listener.accept()
            with context.wrap_socket(peer, server_side=True) as line:
                line.settimeout(10)
                for answer in answers:
                    heard.append(line.recv(65536))
                    line.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        authority = str(tmp_path / "ca/ca.pem")
        port = listener.getsockname()[1]
        yield Entrance("127.0.0.1", port, "ada", "p w", "shop", authority), heard
        thread.join(10)


def test_its_word_for_itself_and_the_cipher(tmp_path):
    with server(tmp_path, *WELCOME) as (where, heard):
        version, cipher = firststeps.enter(where)
    assert version == "Valkey 8.1.1"
    assert "AES" in cipher or "CHACHA" in cipher
    assert heard[0] == b"*3\r\n$4\r\nAUTH\r\n$3\r\nada\r\n$3\r\np w\r\n"


def test_a_refusal_is_told_without_the_password(tmp_path):
    with server(tmp_path, b"-WRONGPASS\r\n") as (where, _):
        with pytest.raises(errors.Internal, match="refused AUTH"):
            firststeps.enter(where)

# SPDX-License-Identifier: Apache-2.0
"""A conversation with Valkey: what is sent, what is read, and how long it waits."""

import contextlib
import socket
import threading
import time

import pytest

from trove import errors
from trove.datastores.valkey.agent import wire


@contextlib.contextmanager
def server(path, *answers):
    """One that says these, one for each piece that it hears; what it heard."""
    heard = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(10)

        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(10)
                for answer in answers:
                    heard.append(peer.recv(65536))
                    for piece in answer if isinstance(answer, list) else [answer]:
                        peer.sendall(piece)
                        time.sleep(0.01)
                with contextlib.suppress(OSError):
                    peer.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "socket")


def test_words_go_with_their_lengths_and_an_answer_may_come_in_pieces(path):
    answers = (
        b"+OK\r\n",
        [b"$6\r\na\r\n", "bé\r\n".encode()],
        b"*2\r\n$1\r\na\r\n:1\r\n",
    )
    with server(path, *answers) as heard:
        talk = wire.Talk(path, "secret", 5)
        assert talk.ask("GET", 'a" b\r\n', within=5) == "a\r\nbé"
        assert talk.pairs("CONFIG", "GET", "a", within=5) == {"a": 1}
        talk.close()
    assert heard[0].split() == b"*3 $4 AUTH $11 trove_admin $6 secret".split()
    assert b'$6\r\na" b\r\n\r\n' in heard[1]


def test_a_refusal_is_raised_and_becomes_an_error_of_ours(path):
    said = f"-ERR modifier '#{'a1' * 32}' is none\r\n".encode()
    with server(path, said), pytest.raises(errors.EngineFailed) as failed:
        with wire.talk(path, None) as talk:
            talk.ask("ACL", within=5)
    assert "'***' is none" in str(failed.value)


def test_one_that_is_refused_at_the_door_is_let_go(path):
    with server(path, b"-WRONGPASS\r\n"), pytest.raises(wire.Refusal):
        wire.Talk(path, "secret", 5)


def test_silence_ends_in_time_and_so_does_a_trickle(path):
    with server(path, [b"$9\r\n", *[b"x"] * 8]):
        talk = wire.Talk(path, None, 5)
        began = time.monotonic()
        with pytest.raises(OSError):
            talk.ask("PING", within=0.2)
        assert time.monotonic() - began < 5
        talk.close()


def test_one_that_hangs_up_is_a_failure(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        talk = wire.Talk(path, None, 5)
        peer, _ = listener.accept()
        peer.shutdown(socket.SHUT_WR)
        with peer, pytest.raises(ConnectionResetError, match="ended"):
            talk.ask("PING", within=5)
        talk.close()


def test_no_server_is_an_error_of_ours(path):
    with pytest.raises(errors.EngineFailed, match="socket"):
        with wire.talk(path, "secret"):
            pass


def test_who_is_refused_before_he_was_heard_is_told_why(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def refuse():
            peer, _ = listener.accept()
            peer.sendall(b"-ERR max number of clients reached\r\n")
            peer.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        talk = wire.Talk(path, None, 5)
        thread.join(10)  # it has ended the conversation
        with pytest.raises(wire.Refusal, match="max number of clients"):
            talk.ask("AUTH", "a", within=5)
        with pytest.raises(ConnectionResetError):
            talk.ask("AUTH", "a", within=5)
        talk.close()

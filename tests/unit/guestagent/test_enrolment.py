# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/guestagent/enrolment.py: a crash on any line is taken up again."""

import pytest

from trove import errors
from trove.guestagent import enrolment, identity
from trove.guestagent.enrolment import Refused
from trove.rpc.messages import Enrolled

INSTANCE = "11111111-2222-4333-8444-555555555555"
BOOTSTRAP = "one-time-secret"


class Crash(BaseException):
    """The agent dies here."""


class ControlPlane:
    """The broker's passwords and the conductor, as a guest meets them."""

    def __init__(self, authority):
        self.authority = authority
        self.hashes = {self.hash(BOOTSTRAP)}
        self.enrolments = []
        self.crash = None
        self.away = False

    @staticmethod
    def hash(password):
        return f"clear:{password}"

    def accepts(self, password):
        if self.away:
            raise errors.Unavailable(what="the broker")
        return self.hash(password) in self.hashes

    def enrol(self, password, message):
        if self.crash == "before":
            raise Crash
        assert self.hash(password) in self.hashes
        if self.enrolments:
            assert message.public_key == self.enrolments[0].public_key
        self.enrolments.append(message)
        self.hashes = {self.hash(self.knows)}
        if self.crash == "after":
            raise Crash
        certificate = self.authority.sign(message.csr)
        return Enrolled(certificate, self.authority.ca)


@pytest.fixture
def plane(authority):
    return ControlPlane(authority)


@pytest.fixture
def enrol(places, host, plane):
    places.conf.write_text(f"[broker]\npassword = {BOOTSTRAP}\nuser = guest\n")

    def attempt():
        """One life of the agent, from its start."""
        made = identity.ensure(places, host, INSTANCE)
        plane.knows = made.password  # what the message's hash is the hash of
        return enrolment.ensure(places, host, made, BOOTSTRAP, plane)

    return attempt


def test_the_bootstrap_password_is_exchanged_and_forgotten(enrol, plane, places):
    enrolled = enrol()
    assert enrolled.enrolled
    assert not plane.accepts(BOOTSTRAP)
    assert plane.accepts(enrolled.password)
    assert BOOTSTRAP not in places.conf.read_text()
    (message,) = plane.enrolments
    assert enrolled.password not in str(message)
    assert message.public_key == enrolled.public_key


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_crash_round_the_message_is_taken_up(enrol, plane, where):
    plane.crash = where
    with pytest.raises(Crash):
        enrol()
    plane.crash = None
    assert enrol().enrolled
    assert len({message.public_key for message in plane.enrolments}) == 1


def crashing_at(number):
    """A ``files.write`` that dies instead of the nth write."""
    from trove.guestagent import files

    whole = files.write
    count = 0

    def write(*args, **kwargs):
        nonlocal count
        count += 1
        if count == number:
            raise Crash
        whole(*args, **kwargs)

    return write


@pytest.mark.parametrize("number", range(1, 11))
def test_a_crash_at_any_write_is_taken_up(enrol, plane, places, monkeypatch, number):
    """Identity, key, request, twice the CA, the pair, identity, configuration."""
    from trove.guestagent import files

    with monkeypatch.context() as broken:
        broken.setattr(files, "write", crashing_at(number))
        try:
            enrol()
        except Crash:
            crashed = True
        else:
            crashed = False
    assert crashed == (number <= 9)
    assert enrol().enrolled
    assert BOOTSTRAP not in places.conf.read_text()
    assert not plane.accepts(BOOTSTRAP)


def test_one_that_is_enrolled_says_nothing_again(enrol, plane, places):
    enrol()
    places.conf.write_text(f"[broker]\npassword = {BOOTSTRAP}\n")
    plane.away = True
    assert enrol().enrolled
    assert len(plane.enrolments) == 1
    assert BOOTSTRAP not in places.conf.read_text()


def test_no_broker_and_no_password_are_told_apart(enrol, plane):
    plane.away = True
    with pytest.raises(errors.Unavailable):
        enrol()
    plane.away = False
    plane.hashes = set()
    with pytest.raises(Refused):
        enrol()


def test_a_broker_that_is_not_there_is_unavailable(tmp_path, authority):
    (tmp_path / "ca.pem").write_text(authority.ca)
    with pytest.raises(errors.Unavailable):
        enrolment.accepts(["127.0.0.1:1"], "/v", "u", "p", str(tmp_path / "ca.pem"))
    with pytest.raises(errors.Unavailable):
        enrolment.accepts([], "/v", "u", "p", str(tmp_path / "ca.pem"))

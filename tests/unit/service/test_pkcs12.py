# SPDX-License-Identifier: Apache-2.0
"""Tests of trove/service/pkcs12.py: opened within bounds, whatever is in it."""

import subprocess
import time

import pytest

from tests.pkcs12 import Authority
from trove import errors
from trove.service import pkcs12

AUTHORITY = Authority("root")


@pytest.mark.parametrize("password", [None, "", "pä ss"])
def test_what_was_put_in_comes_out(password):
    made = AUTHORITY.server()
    data = made.pkcs12(password or None)
    given = None if password is None else password.encode()
    for read in (pkcs12.opened, pkcs12.read):
        key, certificates = read(data, given)
        assert (key, "".join(certificates)) == (made.key_pem, made.pem)


@pytest.mark.parametrize("password", [None, b"", b"another", b"\xff"])
def test_another_password(password):
    data = AUTHORITY.server().pkcs12("right")
    for read in (pkcs12.opened, pkcs12.read):
        with pytest.raises(pkcs12.Unreadable, match="password is another"):
            read(data, password)


@pytest.mark.parametrize("data", [b"", b"\x30\x80", b"x" * 60_000])
def test_what_is_none(data):
    with pytest.raises(pkcs12.Unreadable):
        pkcs12.opened(data, None)


def test_one_without_a_key():
    made = AUTHORITY.server()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12 as library

    for own in (made.certificate, None):
        data = library.serialize_key_and_certificates(
            b"", None, own, [AUTHORITY.certificate], serialization.NoEncryption()
        )
        with pytest.raises(pkcs12.Unreadable, match="no private key"):
            pkcs12.read(data, None)


def test_too_many_certificates():
    chain = [AUTHORITY.certificate] * pkcs12.MOST
    data = AUTHORITY.server().pkcs12(chain=chain)
    with pytest.raises(pkcs12.Unreadable, match="more than"):
        pkcs12.read(data, None)


def test_a_password_that_is_hashed_for_ever_costs_seconds(monkeypatch):
    """The file itself says how often: two thousand million times, if it likes."""
    monkeypatch.setattr(pkcs12, "SECONDS", 1)
    words = ["openssl", "pkcs12", "-export", "-passout", "pass:x", "-macalg", "sha256"]
    made = subprocess.run(
        [*words, "-iter", "65537"],
        input=AUTHORITY.server().pair.encode(),
        capture_output=True,
        check=True,
    ).stdout
    assert pkcs12.opened(made, b"x")
    begun = time.monotonic()
    with pytest.raises(pkcs12.Unreadable, match="takes too much"):
        pkcs12.opened(endless(made), b"x")
    assert time.monotonic() - begun < pkcs12.PATIENCE


def endless(made):
    """The last number, of rounds for the seal, is the largest; lengths follow."""
    assert made.endswith(bytes.fromhex("0203010001")) and made[:2] == b"\x30\x82"
    at = made.rindex(bytes.fromhex("3031300d0609")) - 2  # the seal's own sequence
    sealed = bytes((0x30, made[at + 1] + 1)) + made[at + 2 : -5]
    inner = made[4:at] + sealed + bytes.fromhex("02047fffffff")
    return b"\x30\x82" + len(inner).to_bytes(2, "big") + inner


def test_who_finds_no_turn_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr(pkcs12, "PATIENCE", 0.01)
    for _ in range(pkcs12.AT_ONCE):
        pkcs12._TURNS.acquire()
    try:
        with pytest.raises(errors.Unavailable):
            pkcs12.opened(b"", None)
    finally:
        for _ in range(pkcs12.AT_ONCE):
            pkcs12._TURNS.release()


def test_the_bounds_are_the_processs_own(tmp_path):
    """Neither time nor memory nor a core: the kernel sees to it."""
    script = (
        "import resource\n"
        "from trove.service import pkcs12\n"
        "import io, sys\n"
        "sys.stdin = io.StringIO('{}')\n"
        "try:\n    pkcs12.main()\nexcept KeyError:\n    pass\n"
        "for what in ('CPU', 'AS', 'CORE', 'FSIZE'):\n"
        "    number = getattr(resource, 'RLIMIT_' + what)\n"
        "    sys.stderr.write(f'{resource.getrlimit(number)[0]} ')\n"
    )
    import sys

    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True
    )
    assert said.stderr.split()[-4:] == [
        str(n).encode() for n in (pkcs12.SECONDS, pkcs12.MEMORY, 0, 0)
    ]

# SPDX-License-Identifier: Apache-2.0
"""Broker passwords: RabbitMQ's own form, and nothing that only looks like it."""

import base64
import hashlib

import pytest

from trove import errors
from trove.rpc import passwords


def test_a_hash_is_salt_and_digest_of_salt_and_password():
    raw = base64.b64decode(passwords.hash_password("pässword"))
    assert raw[4:] == hashlib.sha256(raw[:4] + "pässword".encode()).digest()


def test_a_password_hashes_differently_each_time():
    assert passwords.hash_password("x") != passwords.hash_password("x")


def test_new_passwords_fit_a_url():
    one, other = passwords.new_password(), passwords.new_password()
    assert one != other
    assert one.replace("-", "").replace("_", "").isalnum()


def test_our_own_hash_is_accepted():
    passwords.check_hash(passwords.hash_password("x"))


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "x",
        "é",
        base64.b64encode(bytes(35)).decode(),
        base64.b64encode(bytes(37)).decode(),
        base64.b64encode(bytes(36)).decode() + "\n",
    ],
)
def test_what_is_no_hash_is_refused(junk):
    with pytest.raises(errors.Invalid):
        passwords.check_hash(junk)

# SPDX-License-Identifier: Apache-2.0
"""Sealing: only the guest reads it, and nobody changes it."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trove import errors
from trove.rpc import sealing

PRIVATE, PUBLIC = sealing.keypair()


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_the_holder_of_the_key_reads_what_was_sealed(secret):
    assert sealing.unseal(PRIVATE, sealing.seal(PUBLIC, secret)) == secret


def test_nobody_else_does():
    stranger, _public = sealing.keypair()
    with pytest.raises(errors.Invalid, match="cannot be opened"):
        sealing.unseal(stranger, sealing.seal(PUBLIC, {"password": "x"}))


@given(st.data())
def test_one_bit_changed_opens_nothing(data):
    raw = bytearray(base64.b64decode(sealing.seal(PUBLIC, {"password": "x"})))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(errors.Invalid):
        sealing.unseal(PRIVATE, base64.b64encode(raw).decode())


@pytest.mark.parametrize("junk", ["", "not base64!", "AAAA", "é"])
def test_junk_is_invalid(junk):
    with pytest.raises(errors.Invalid):
        sealing.unseal(PRIVATE, junk)


def test_the_secret_is_not_in_the_sealed_text():
    sealed = sealing.seal(PUBLIC, {"password": "correct horse"})
    assert b"correct" not in base64.b64decode(sealed)
    assert json.dumps(sealed)


@pytest.mark.parametrize("key", ["", "AAAA", "?", base64.b64encode(bytes(32)).decode()])
def test_a_key_that_is_none_is_refused(key):
    with pytest.raises(errors.Invalid):
        sealing.check_public_key(key)
    with pytest.raises(errors.Invalid):
        sealing.seal(key, {})


def test_only_objects_are_sealed():
    from nacl import public

    box = public.SealedBox(public.PublicKey(base64.b64decode(PUBLIC)))
    with pytest.raises(errors.Invalid, match="not an object"):
        sealing.unseal(PRIVATE, base64.b64encode(box.encrypt(b"[]")).decode())

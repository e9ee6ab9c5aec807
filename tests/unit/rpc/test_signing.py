# SPDX-License-Identifier: Apache-2.0
"""A guest obeys what its taskmanagers signed: just that, to just this guest."""

import base64
import json

import hypothesis
import pytest
from hypothesis import strategies

from trove import errors
from trove.rpc import signing
from trove.rpc.signing import Signer, Verifier

ARGUMENTS = {
    "job": "op-1/prepare",
    "plan": {"users": ["ä'\"\\"], "size": 1.5, "no": None},
}


@pytest.fixture
def signer() -> Signer:
    return Signer(signing.new_key())


def test_what_was_signed_is_obeyed(signer: Signer) -> None:
    signature = signer.sign("guest-1", "prepare", ARGUMENTS)
    wire = json.loads(json.dumps(ARGUMENTS))
    Verifier(signer.public, "guest-1").check("prepare", wire, signature)


@pytest.mark.parametrize(
    "guest, method, arguments",
    [
        ("guest-2", "prepare", ARGUMENTS),
        ("guest-1", "stop_database", ARGUMENTS),
        ("guest-1", "prepare", {**ARGUMENTS, "job": "op-2/prepare"}),
        ("guest-1", "prepare", {**ARGUMENTS, "more": 1}),
        ("guest-1", "prepare", {}),
    ],
)
def test_nothing_else_is(signer: Signer, guest, method, arguments) -> None:
    signature = signer.sign("guest-1", "prepare", ARGUMENTS)
    with pytest.raises(errors.Forbidden):
        Verifier(signer.public, guest).check(method, arguments, signature)


def test_nor_what_another_signed(signer: Signer) -> None:
    forged = Signer(signing.new_key()).sign("guest-1", "prepare", ARGUMENTS)
    with pytest.raises(errors.Forbidden):
        Verifier(signer.public, "guest-1").check("prepare", ARGUMENTS, forged)


@hypothesis.given(
    strategies.one_of(
        strategies.none(),
        strategies.integers(),
        strategies.text(),
        strategies.lists(strategies.text()),
        strategies.binary(max_size=70).map(lambda b: base64.b64encode(b).decode()),
    )
)
def test_nor_what_is_no_signature(said: object) -> None:
    public = Signer(base64.b64encode(bytes(range(32))).decode()).public
    with pytest.raises(errors.Forbidden):
        Verifier(public, "guest-1").check("prepare", ARGUMENTS, said)


@pytest.mark.parametrize("key", ["", "no base64!", "AAAA", "A" * 43 + "=", "ä"])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(errors.Invalid):
        Signer(key)
    with pytest.raises(errors.Invalid):
        Verifier(key, "guest-1")


def test_a_key_from_a_file(tmp_path) -> None:
    key = signing.new_key()
    path = tmp_path / "signing-key"
    path.write_text(f"{key}\n")
    assert Signer.load(path).public == Signer(key).public != key

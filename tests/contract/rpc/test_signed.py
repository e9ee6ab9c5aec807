# SPDX-License-Identifier: Apache-2.0
"""Who has the whole broker commands no guest: its commands are signed (section 4)."""

import pytest

from trove import errors
from trove.context import Context
from trove.rpc import signing, transport
from trove.rpc.guest import Guest
from trove.rpc.interface import Proxy

from .conftest import Orders, until

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]


@pytest.fixture(scope="module", name="signer")
def key_of_the_taskmanagers() -> signing.Signer:
    return signing.Signer(signing.new_key())


@pytest.fixture(scope="module", name="orders")
def guest_that_asks_for_signatures(world, signer):
    world.node.broker.add_guest("signed", "the-bootstrap-password")
    made, orders = world.guest_transport("signed"), Orders()
    check = signing.Verifier(signer.public, "signed").check
    part = transport.server(made, Guest, orders, "signed", check)
    part.start()
    yield orders
    part.stop(10)


def proxy(world, signer, server="signed"):
    return Proxy(Guest, world.guests, Context(), server=server, signer=signer)


def test_its_taskmanager_is_obeyed_and_answered(world, signer, orders):
    proxy(world, signer).restart_database("op-1/restart")
    until(lambda: ("restart", "op-1/restart") in orders.told)
    assert proxy(world, signer).job("op-1/restart") is None


@pytest.mark.parametrize("of", ["nobody", "somebody else", "another guest's"])
def test_nobody_else_is(world, signer, orders, of):
    """The broker's own user sends: it may write to every queue there is."""
    theirs = {"nobody": None, "somebody else": signing.Signer(signing.new_key())}
    sender = proxy(world, theirs.get(of, signer))
    if of == "another guest's":
        sign = sender._signer.sign

        class Of:
            def sign(self, guest, method, arguments):
                return sign("other", method, arguments)

        sender._signer = Of()
    sender.stop_database(f"op-2/{of}")
    with pytest.raises(errors.Forbidden, match="unsigned"):
        sender.job("op-2/stop")
    proxy(world, signer).restart_database(f"op-3/{of}")  # after it, in the same queue
    until(lambda: ("restart", f"op-3/{of}") in orders.told)
    assert not [told for told in orders.told if told[0] == "stop"]


def test_one_signature_is_for_one_command(world, signer, orders):
    """What was heard on the wire, with another job's id."""
    kept = signer.sign("signed", "restart_database", {"job": "op-1/restart"})

    class Kept:
        def sign(self, guest, method, arguments):
            return kept

    proxy(world, Kept()).restart_database("op-4/restart")
    proxy(world, signer).restart_database("op-5/restart")
    until(lambda: ("restart", "op-5/restart") in orders.told)
    assert ("restart", "op-4/restart") not in orders.told

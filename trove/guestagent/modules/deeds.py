# SPDX-License-Identifier: Apache-2.0
"""The jobs of modules: a driver applies one, or takes it away.

What a driver refuses is no failure of the job, but what the job tells: the instance
goes on as it was, and its user reads why. An error that the driver has no sentence for
is one, like any other job's.
"""

import base64
import binascii
import typing

from trove import errors
from trove.guestagent import identity
from trove.guestagent.modules import registry
from trove.guestagent.modules.protocol import Module
from trove.guestagent.modules.shelf import Shelf
from trove.guestagent.places import Places
from trove.model.states import Modular
from trove.rpc import codec
from trove.rpc.messages import ModuleOrder

Result = dict[str, typing.Any]
Arguments = dict[str, typing.Any]


def apply(places: Places, datastore: str, arguments: Arguments) -> Result:
    """In effect, or as its driver says why not."""
    order: ModuleOrder = codec.decode(ModuleOrder, arguments["module"], "module")
    module = Module(
        order.id, order.name, order.type, datastore, _contents(places, order)
    )
    done, said = _asked(order.type, lambda driver: driver.apply(module))
    shown = Shelf(places).put(order, Modular.OK if done else Modular.ERROR, said)
    return {"applied": done, "message": shown.message}


def remove(places: Places, datastore: str, arguments: Arguments) -> Result:
    """Gone, or as its driver says why not."""
    order: ModuleOrder = codec.decode(ModuleOrder, arguments["module"], "module")
    module = Module(order.id, order.name, order.type, datastore)
    done, said = _asked(order.type, lambda driver: driver.remove(module))
    shelf = Shelf(places)
    if done:
        shelf.drop(order.id)
    else:
        said = shelf.put(order, Modular.ERROR, said).message
    return {"applied": not done, "message": said}


def _asked(type: str, ask: typing.Callable[[typing.Any], object]) -> tuple[bool, str]:
    """Whether the driver did it, and its words."""
    try:
        return True, str(ask(registry.load(type)))
    except errors.TroveError as refused:
        return False, refused.message


def _contents(places: Places, order: ModuleOrder) -> bytes:
    """Unsealed in this process's memory only."""
    from trove.rpc import sealing  # only here: its library stays out of the agent

    private = identity.load(places).private_key
    try:
        sealed = sealing.unseal(private, order.sealed)
        return base64.b64decode(sealed["contents"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        raise errors.Invalid(why="the sealed part has no contents") from None

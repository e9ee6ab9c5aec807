# SPDX-License-Identifier: Apache-2.0
"""The shelf: which modules this guest has, and what their drivers said of them.

The contents are not kept: the control plane has them, sealed.
"""

import dataclasses
import time
import typing

from trove.guestagent import state
from trove.guestagent.places import Places
from trove.model.states import Modular
from trove.rpc.messages import ModuleOrder, ModuleShown

LONGEST = 1000
"""Characters of what a driver said."""


class Shelf:
    """The file of modules. One job at a time writes it."""

    def __init__(
        self, places: Places, clock: typing.Callable[[], float] = time.time
    ) -> None:
        self._path, self._clock = places.modules, clock

    def shown(self) -> tuple[ModuleShown, ...]:
        """All of them, by id."""
        found = self._load()
        try:
            return tuple(ModuleShown(**found[id]) for id in sorted(found))
        except TypeError:
            raise state.StateError(path=self._path, why="it has other fields") from None

    def put(self, order: ModuleOrder, status: Modular, message: str) -> ModuleShown:
        """How a module stands from now on.

        One that was refused keeps the contents that it had, if it had any.
        """
        found = self._load()
        had = found.get(order.id, {}).get("md5", "")
        shown = ModuleShown(
            id=order.id,
            status=status,
            message=message[:LONGEST],
            md5=order.md5 if status == Modular.OK else had,
            updated=self._clock(),
        )
        found[order.id] = dataclasses.asdict(shown)
        state.save_json(self._path, found)
        return shown

    def drop(self, id: str) -> None:
        """It has this one no longer."""
        found = self._load()
        if found.pop(id, None) is not None:
            state.save_json(self._path, found)

    def _load(self) -> dict[str, dict[str, typing.Any]]:
        return state.load_json(self._path) or {}

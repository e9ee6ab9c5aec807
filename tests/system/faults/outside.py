# SPDX-License-Identifier: Apache-2.0
"""A process of its own: the cloud that the daemons share, and the guests it boots.

``python -m tests.system.faults.outside SOCKET DIRECTORY HOSTS CA``. The guests are
toys with the agent's own manager and ledger, each with its own user and connection at
the real broker. The noun ``tests`` is for the tests' hands.
"""

import collections
import pathlib
import sys
import threading
import typing
from multiprocessing.connection import Connection, Listener

from trove.service import threads

threads.prepare()

from oslo_config import cfg  # noqa: E402

from tests.system.faults.toys import Fleet, Toy  # noqa: E402
from trove import errors  # noqa: E402
from trove.cloud.memory import MemoryCloud, Pace, World  # noqa: E402


class Hands:
    """What a test may ask of all this."""

    def __init__(self, world: World, fleet: Fleet) -> None:
        self._world, self._fleet = world, fleet
        self.made: collections.Counter[str] = collections.Counter()
        """Every thing that was ever made, by kind and key: what is made twice shows."""
        self.refused = ""

    def things(self, instance: str = "") -> list[tuple[str, str]]:
        """Kind and key of what exists, of one instance or of all."""
        with self._world.lock:
            self._world.pass_time()
            return sorted(
                (thing.kind, thing.key)
                for thing in self._world.made.values()
                if instance in thing.key
            )

    def twice(self) -> list[str]:
        """What was made more than once."""
        return sorted(what for what, count in self.made.items() if count > 1)

    def forget(self) -> None:
        """A test has seen what was made twice, and why."""
        self.made.clear()

    def pace(self, **about: float) -> None:
        """How long things take from now on."""
        self._world.pace = Pace(**about)

    def refuse(self, name: str = "") -> None:
        """Calls of that name (``compute.boot``) are refused for good from now on."""
        self.refused = name

    def visible_after(self, seconds: float) -> None:
        """Lists show what is as old as that."""
        self._world.visible_after = seconds

    def jobs(self, instance: str) -> list[str]:
        """The deeds that an instance's guest has done, in order, with repetitions."""
        guest = self._fleet.guests.get(instance)
        return list(guest.done) if guest else []

    def password(self, instance: str) -> str:
        """Of a guest's user at the broker, as it is now."""
        return self._fleet.guests[instance].password

    def beat(self, instance: str, times: int) -> None:
        """Reports in a hurry."""
        guest = self._fleet.guests[instance]
        assert isinstance(guest, Toy)
        for _ in range(times):
            guest.beat()

    def faults(self) -> list[str]:
        """What no guest should have met."""
        return list(self._fleet.faults)


def main() -> None:
    """Serves until it is killed."""
    socket, home, hosts, authority = sys.argv[1:]
    cfg.CONF([])
    world = World(pace=Pace(boot=0.1, remove=0.1))
    fleet = Fleet(cfg.CONF, world, pathlib.Path(home), hosts.split(","), authority)
    hands = Hands(world, fleet)

    def before(name: str, said: dict[str, typing.Any]) -> None:
        if name == hands.refused:
            raise errors.Invalid(f"The laboratory refuses {name}.")

    def after(name: str, said: dict[str, typing.Any], answer: typing.Any) -> None:
        if name.rpartition(".")[2] in ("boot", "create", "create_port", "create_group"):
            hands.made[f"{name} {said['key']}"] += 1
        if name == "compute.boot":
            fleet.booted(said["order"], answer.id)

    cloud = MemoryCloud(
        deployment="laboratory", world=world, before=before, after=after
    )
    listener = Listener(socket, "AF_UNIX", backlog=64)
    while True:
        line = listener.accept()
        threading.Thread(target=serve, args=(line, cloud, hands), daemon=True).start()


def serve(line: Connection, cloud: MemoryCloud, hands: Hands) -> None:
    """One caller, until it ends, however it does."""
    while True:
        try:
            name, args, kwargs = line.recv()
        except (EOFError, OSError):
            return
        noun, _, verb = name.partition(".")
        answer: tuple[typing.Any, ...]
        try:
            thing = hands if noun == "tests" else getattr(cloud, noun)
            answer = (True, getattr(thing, verb)(*args, **kwargs))
        except (errors.TroveError, LookupError, TypeError) as error:
            kind = type(error)
            answer = (False, kind.__module__, kind.__qualname__, error.args)
            answer += (dict(error.__dict__),)
        try:
            line.send(answer)
        except OSError:
            return


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Two guests of a deployment, one of them taken over: made once for whoever needs them.

Root in a guest is ``lxc-attach``: it has the agent's files, its Python and libraries.
Nothing secret is ever an argument there; programs and orders go in by stdin.
"""

import dataclasses
import json
import pathlib
import typing

from tests.system.deployment import Deployment, User, until

HERE = pathlib.Path(__file__).parent
BIN = "/root"
SITE = "/opt/trove/site"


@dataclasses.dataclass
class Pair:
    """The guest that was taken over, and the one that it is after."""

    deployment: Deployment
    demo: User
    attacker: str
    victim: str

    def run(self, program: str, orders: typing.Any = None, *words: str) -> str:
        """One of this folder's programs, as root in the attacker; its stdout."""
        path = f"{BIN}/{program}"
        text = (HERE / program).read_text()
        self.deployment.inside(self.attacker, "/usr/bin/tee", path, input=text)
        return self.deployment.inside(
            self.attacker,
            *("/usr/bin/env", f"PYTHONPATH={SITE}", "/usr/bin/python3", path, *words),
            input=json.dumps(orders),
        )

    def lines(self, program: str, orders: typing.Any = None) -> list[typing.Any]:
        """The same, for a program that prints lines of JSON."""
        return [json.loads(line) for line in self.run(program, orders).splitlines()]

    def report(self, instance: str) -> tuple[int, int, float]:
        """The newest report of a guest: boot, sequence number, when it came."""
        (row,) = self.deployment.rows(
            "SELECT boot, seq, received_at FROM guest_reports WHERE instance_id = ?",
            instance,
        )
        return row

    def heard_anew(self, instance: str, within: float = 30) -> None:
        """The control plane hears the guest: two more reports, of one boot."""
        boot, seq, _ = self.report(instance)

        def later() -> bool:
            now = self.report(instance)
            return now[0] == boot and now[1] >= seq + 2

        until(f"two more heartbeats of {instance}", later, within)

    def close(self) -> None:
        """Both go, as their user would let them."""
        for id in (self.attacker, self.victim):
            if self.demo.show(id) is not None:
                self.demo.delete(id)
        for id in (self.attacker, self.victim):
            self.demo.gone(id)


def make(
    deployment: Deployment, demo: User, users: typing.Sequence[dict[str, typing.Any]]
) -> Pair:
    """Two instances of ``demo``, through the public API."""
    made = Pair(
        deployment,
        demo,
        demo.create("mariadb", "taken-over", users),
        demo.create("postgresql", "victim", users),
    )
    for id in (made.attacker, made.victim):
        demo.wait(id)
    return made

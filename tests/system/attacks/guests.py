# SPDX-License-Identifier: Apache-2.0
"""Two guests of a deployment, one of them taken over: made once for whoever needs them.

Root in a guest is ``lxc-attach``: it has the agent's files, its Python and libraries.
Nothing secret is ever an argument there; programs and orders go in by stdin.
"""

import dataclasses
import json
import pathlib
import secrets
import typing

from tests.system.deployment import Deployment, User, until

HERE = pathlib.Path(__file__).parent
BIN = "/root"
SITE = "/opt/trove/site"
USER = "ada"


@dataclasses.dataclass
class Pair:
    """The guest that was taken over, and the one that it is after."""

    deployment: Deployment
    demo: User
    attacker: str
    victim: str
    password: str = dataclasses.field(repr=False)
    """Of the user ``ada`` of both."""

    def run(self, program: str, orders: typing.Any = None, *words: str) -> str:
        """One of this folder's programs, as root in the attacker; its stdout."""
        for name in ("broker.py", program):  # others import that one
            text = (HERE / name).read_text()
            path = f"{BIN}/{name}"
            self.deployment.inside(self.attacker, "/usr/bin/tee", path, input=text)
        return self.deployment.inside(
            self.attacker,
            *("/usr/bin/env", f"PYTHONPATH={SITE}", "/usr/bin/python3", path, *words),
            input=json.dumps(orders),
        )

    def lines(self, program: str, orders: typing.Any = None) -> list[typing.Any]:
        """The same, for a program that prints lines of JSON."""
        return [json.loads(line) for line in self.run(program, orders).splitlines()]

    def identity(self, instance: str) -> dict[str, str]:
        """The agent's own secrets."""
        path = "/var/lib/trove-guest/identity.json"
        found: dict[str, str] = json.loads(
            self.deployment.inside(instance, "cat", path)
        )
        return found

    def enter(self, instance: str) -> typing.Any:
        """A connection to its database, as its user."""
        shown = self.demo.wait(instance)
        return self.demo.connect(shown, USER, self.password, "shop")

    def believed_again(self) -> None:
        """The attacker's own agent starts anew, so that its lies are older."""
        boot = self.report(self.attacker)[0]
        self.deployment.inside(
            self.attacker, "systemctl", "restart", "trove-guestagent.service"
        )
        until("believed again", lambda: self.report(self.attacker)[0] > boot)

    def report(self, instance: str) -> tuple[int, int, float]:
        """The newest report of a guest: boot, sequence number, when it came."""
        (row,) = self.deployment.rows(
            "SELECT boot, seq, received_at FROM guest_reports WHERE instance_id = ?",
            instance,
        )
        return row

    def heard_anew(self, instance: str, within: float = 60) -> None:
        """The control plane hears the guest: another report, of the same start."""
        boot, seq, _ = self.report(instance)

        def later() -> bool:
            now = self.report(instance)
            return now[0] == boot and now[1] > seq

        until(f"another heartbeat of {instance}", later, within)

    def close(self) -> None:
        """Both go, as their user would let them."""
        for id in (self.attacker, self.victim):
            if self.demo.show(id) is not None:
                self.demo.delete(id)
        for id in (self.attacker, self.victim):
            self.demo.gone(id)


def make(deployment: Deployment, demo: User) -> Pair:
    """Two instances of ``demo``, through the public API."""
    user = {"name": USER, "password": secrets.token_urlsafe(18)}
    account = user | {"databases": [{"name": "shop"}]}
    made = Pair(
        deployment,
        demo,
        demo.create("mariadb", "taken-over", [account]),
        demo.create("postgresql", "victim", [account]),
        user["password"],
    )
    for id in (made.attacker, made.victim):
        demo.wait(id)
    return made

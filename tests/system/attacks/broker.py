# SPDX-License-Identifier: Apache-2.0
"""What a guest that was taken over tries on the broker; it needs py-amqp, no more.

The contract suite calls it as a function, on a broker of its own. The system suite
copies it into a guest and runs it there as root, with the guest's own Python: it takes
the credential from where the agent keeps it, and prints a line of JSON an attack.
"""

import configparser
import contextlib
import dataclasses
import json
import pathlib
import ssl
import sys
import typing
import uuid

import amqp

CONF = pathlib.Path("/etc/trove/guest.conf")
IDENTITY = pathlib.Path("/var/lib/trove-guest/identity.json")
CONTROL_VHOST = "/trove"


@dataclasses.dataclass
class Attacker:
    """A guest's place on the broker, and whom it is after."""

    me: str
    them: str
    host: str
    vhost: str
    password: str = dataclasses.field(repr=False)
    ca_file: str

    @property
    def mine(self) -> str:
        """The queue of the attacker's own topic."""
        return f"guestagent.{self.me}"

    @property
    def theirs(self) -> str:
        """The queue of the victim's topic."""
        return f"guestagent.{self.them}"

    @property
    def user(self) -> str:
        """Who the attacker is to the broker."""
        return f"guest-{self.me}"

    def connect(
        self,
        user: str | None = None,
        password: str | None = None,
        vhost: str | None = None,
    ) -> amqp.Connection:
        """A bare connection, as the attacker unless told otherwise."""
        line = amqp.Connection(
            self.host,
            self.user if user is None else user,
            self.password if password is None else password,
            virtual_host=vhost or self.vhost,
            ssl={
                "ca_certs": self.ca_file,
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": self.host.rpartition(":")[0],
            },
            connect_timeout=10,
            read_timeout=20,
        )
        try:
            line.connect()
        except BaseException:
            line.collect()
            raise
        return line

    @contextlib.contextmanager
    def channel(self) -> typing.Iterator[amqp.Channel]:
        """A channel of a connection that ends with it, however it ends."""
        line = self.connect()
        try:
            yield line.channel()
        finally:
            with contextlib.suppress(OSError, amqp.exceptions.AMQPError):
                line.close()
            line.collect()


# -- messages as oslo.messaging would write them, and others ---------------------------


def raw(body, headers=None, **properties: typing.Any) -> amqp.Message:
    """A message with any body."""
    return amqp.Message(
        body,
        content_type="application/json",
        content_encoding="utf-8",
        application_headers=headers or {},
        **properties,
    )


def envelope(
    message: object, headers: dict[str, str] | None = None, **properties: typing.Any
) -> amqp.Message:
    """Anything, in an envelope of oslo.messaging's."""
    if isinstance(message, dict):
        message = {"_unique_id": uuid.uuid4().hex} | message
    body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(message)})
    return raw(body, headers, **properties)


def forged(method: str = "restart_database", **arguments: typing.Any) -> amqp.Message:
    """A command."""
    return envelope({"method": method, "args": arguments, "version": "1.0"})


def send(
    channel: amqp.Channel, exchange: str, key: str, message: amqp.Message | None = None
) -> None:
    """Publishes, and waits for the broker to say yes or no."""
    channel.confirm_select()
    channel.basic_publish_confirm(message or forged(job="forged"), exchange, key)


def claim(them: str, boot: int, seq: int) -> dict[str, typing.Any]:
    """A report that says in each place where it can that it is another's."""
    return {
        "method": "heartbeat",
        "args": {"report": {"boot": boot, "seq": seq, "service": "healthy"}},
        "version": "1.0",
        "_context_broker_user": f"guest-{them}",
        "_context_user": f"guest-{them}",
        "_context_is_admin": True,
    }


# -- the attacks -----------------------------------------------------------------------

Deed = typing.Callable[[amqp.Channel, Attacker], object]


def bind_exchange(channel: amqp.Channel, a: Attacker) -> None:
    """An exchange of one's own, behind everybody's."""
    own = f"{a.mine}_fanout"
    channel.exchange_declare(own, "fanout", durable=True, auto_delete=True)
    channel.exchange_bind(own, "trove", "#")


def claim_user_id(channel: amqp.Channel, a: Attacker) -> None:
    """The one field that the conductor believes."""
    message = amqp.Message("x", user_id=f"guest-{a.them}")
    send(channel, "trove", "trove-conductor", message)


ON_A_CHANNEL: dict[str, Deed] = {
    "consume another guest's queue": lambda c, a: c.basic_consume(a.theirs),
    "get from another guest's queue": lambda c, a: c.basic_get(a.theirs),
    "consume the taskmanager's queue": lambda c, a: c.basic_consume(
        "trove-taskmanager"
    ),
    "purge another guest's queue": lambda c, a: c.queue_purge(a.theirs),
    "delete another guest's queue": lambda c, a: c.queue_delete(a.theirs),
    "publish to the taskmanager": lambda c, a: send(c, "trove", "trove-taskmanager"),
    "publish to another guest": lambda c, a: send(c, "trove", f"{a.theirs}.{a.them}"),
    "publish to another's fanout": lambda c, a: send(c, f"{a.theirs}_fanout", ""),
    "bind to everything": lambda c, a: c.queue_bind(a.mine, "trove", "#"),
    "bind to another guest's key": lambda c, a: c.queue_bind(a.mine, "trove", a.theirs),
    "bind to amq.topic": lambda c, a: c.queue_bind(a.mine, "amq.topic", "#"),
    "bind an own exchange to everything": bind_exchange,
    "declare somebody's reply queue": lambda c, a: c.queue_declare("reply_" + "a" * 32),
    "declare a queue the server names": lambda c, a: c.queue_declare(""),
    "claim another's user_id": claim_user_id,
    "default exchange to the taskmanager": lambda c, a: send(
        c, "", "trove-taskmanager"
    ),
    "default exchange to another guest": lambda c, a: send(c, "", a.theirs),
    "delete the exchange": lambda c, a: c.exchange_delete("trove"),
}


def _deed(name: str) -> typing.Callable[[Attacker], None]:
    def attack(a: Attacker) -> None:
        with a.channel() as channel:
            ON_A_CHANNEL[name](channel, a)

    return attack


def enter_the_control_vhost(a: Attacker) -> None:
    """Where api, taskmanager and conductor talk."""
    a.connect(vhost=CONTROL_VHOST).close()


def enter_as_somebody_else(a: Attacker) -> None:
    """Without a password, with a wrong one, as the victim, as a stock user."""
    for user, password in (
        (a.user, ""),
        (f"guest-{a.them}", a.password),
        ("trove-control", a.password),
        ("trove-admin", ""),
        ("guest", "guest"),
    ):
        refused: amqp.exceptions.AMQPError | None = None
        try:
            a.connect(user, password).close()
        except amqp.exceptions.AccessRefused as error:
            refused = error
        if refused is None:
            return  # it is in
    raise refused


ATTACKS: dict[str, typing.Callable[[Attacker], object]] = {
    **{name: _deed(name) for name in ON_A_CHANNEL},
    "enter the control plane's virtual host": enter_the_control_vhost,
    "enter as somebody else": enter_as_somebody_else,
}
"""Each must end in an error of AMQP. The attack that the broker cannot refuse, a false
claim in the body of a message that the guest may send, is ``lie_in_the_body``."""

REFUSALS = (403, 406, 530)
"""Not allowed; that ``user_id`` is not yours; not into this virtual host."""


def lie_in_the_body(a: Attacker, boot: int, seq: int, *, signed: bool) -> None:
    """Publishing to the conductor is what a guest is for; as whom, the broker says."""
    told = {"user_id": a.user} if signed else {}
    with a.channel() as channel:
        message = envelope(claim(a.them, boot, seq), **told)
        send(channel, "trove", "trove-conductor", message)


def attempt(a: Attacker, name: str) -> dict[str, typing.Any]:
    """What came of one attack: the code the broker refused it with, or none."""
    try:
        ATTACKS[name](a)
    except amqp.exceptions.AMQPError as error:
        return {"attack": name, "code": error.reply_code, "said": str(error)[:200]}
    except OSError as error:
        return {"attack": name, "code": None, "said": repr(error)[:200]}
    return {"attack": name, "code": None, "said": "it succeeded"}


# -- inside a guest --------------------------------------------------------------------


def taken_over(them: str) -> Attacker:
    """What whoever is root in a guest finds there."""
    conf = configparser.ConfigParser(interpolation=None, strict=False)
    conf.read_string(CONF.read_text())
    own = conf["broker"]
    return Attacker(
        me=conf["guest"]["instance"],
        them=them,
        host=own["hosts"].split(",")[0].strip(),
        vhost=own.get("vhost", "/trove-guests"),
        password=json.loads(IDENTITY.read_text())["password"],
        ca_file=own["ca_file"],
    )


def main() -> int:
    """Orders on stdin: ``{"them": ..., "boot": ..., "seq": ...}``."""
    orders = json.load(sys.stdin)
    a = taken_over(orders["them"])
    for name in ATTACKS:
        print(json.dumps(attempt(a, name)), flush=True)
    for signed in (False, True):
        lie_in_the_body(a, orders["boot"], orders["seq"], signed=signed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Every message on the brokers, recorded as it was sent, and sent again.

A queue of ours is bound beside the real ones. What is sent again has the same body but
for oslo.messaging's own number, which it would know again: it is our own idempotence
that is put to the test. Its sender is the same too: the broker would refuse another,
were it not for a user who may impersonate.
"""

import json
import random
import ssl
import typing
import uuid

import amqp
import requests

from trove.localcloud import rabbitmq
from trove.localcloud.layout import Layout

LOOPBACK = "127.0.0.1"
PASSWORD = "recorder"
VHOSTS = (rabbitmq.CONTROL_VHOST, rabbitmq.GUESTS_VHOST)


class Message(typing.NamedTuple):
    """One message, and where it went."""

    vhost: str
    exchange: str
    key: str
    body: str
    properties: dict[str, typing.Any]

    @property
    def method(self) -> str:
        """What it asks for; empty for a reply."""
        return str(json.loads(json.loads(self.body)["oslo.message"]).get("method", ""))

    def again(self) -> "Message":
        """The same, to be taken for another message."""
        whole = json.loads(self.body)
        inner = json.loads(whole["oslo.message"])
        inner["_unique_id"] = uuid.uuid4().hex
        whole["oslo.message"] = json.dumps(inner)
        return self._replace(body=json.dumps(whole))


class Recorder:
    """An administrator of the broker's with a tape."""

    def __init__(self, place: Layout) -> None:
        self._place = place
        self._access = rabbitmq.access(place, LOOPBACK)
        self._user("recorder", "administrator,impersonator")
        self._lines: dict[str, amqp.Connection] = {}
        self._channels: dict[str, amqp.Channel] = {}
        self._tapes: list[tuple[str, str]] = []
        for vhost in VHOSTS:
            self._lines[vhost] = line = self._connect(vhost)
            self._channels[vhost] = channel = line.channel()
            for exchange in self._exchanges(vhost):
                channel.queue_declare(f"tape-{exchange}", exclusive=True)
                channel.queue_bind(f"tape-{exchange}", exchange, "#")
                self._tapes.append((vhost, exchange))
        self.tape: list[Message] = []

    def listen(self) -> list[Message]:
        """All that was sent since; it is on the tape from now on."""
        for vhost, exchange in self._tapes:
            channel = self._channels[vhost]
            while seen := channel.basic_get(f"tape-{exchange}", no_ack=True):
                told = dict(seen.properties)
                key = seen.delivery_info["routing_key"]
                self.tape.append(Message(vhost, exchange, key, _text(seen), told))
        return self.tape

    def play(self, messages: typing.Iterable[Message]) -> int:
        """Sends them; how many there were."""
        count = 0
        for message in messages:
            self._channels[message.vhost].basic_publish(
                amqp.Message(message.body, **message.properties),
                message.exchange,
                message.key,
            )
            count += 1
        return count

    def shuffled(self, seed: int) -> list[Message]:
        """All of the tape in another order, each to be taken for a new message."""
        tape = [message.again() for message in self.tape]
        random.Random(seed).shuffle(tape)
        return tape

    def purge(self) -> None:
        """Every queue of both virtual hosts loses what waits in it."""
        for vhost in VHOSTS:
            for queue in self.ask("GET", "queues", vhost).json():
                if not queue.get("exclusive"):
                    self.ask("DELETE", "queues", vhost, queue["name"], "contents")

    def ask(self, verb: str, *path: str, **body: typing.Any) -> requests.Response:
        """The management API."""
        quoted = "/".join(requests.utils.quote(part, safe="") for part in path)
        answer = requests.request(
            verb,
            f"{self._access.broker_url}/api/{quoted}",
            auth=(self._access.broker_user, self._access.broker_password),
            json=body or None,
            timeout=20,
        )
        assert answer.ok, (verb, path, answer.status_code, answer.text)
        return answer

    def _exchanges(self, vhost: str) -> list[str]:
        known = self.ask("GET", "exchanges", vhost).json()
        return [e["name"] for e in known if e["name"] in ("trove", "trove_reply")]

    def _user(self, name: str, tags: str) -> None:
        self.ask("PUT", "users", name, password=PASSWORD, tags=tags)
        for vhost in VHOSTS:
            all_of_it = dict.fromkeys(("configure", "write", "read"), ".*")
            self.ask("PUT", "permissions", vhost, name, **all_of_it)

    def _connect(self, vhost: str) -> amqp.Connection:
        line = amqp.Connection(
            f"{LOOPBACK}:{self._place.guests_amqp_port}",
            "recorder",
            PASSWORD,
            virtual_host=vhost,
            ssl={
                "ca_certs": self._access.ca_file,
                "cert_reqs": ssl.CERT_REQUIRED,
                "server_hostname": LOOPBACK,
            },
            connect_timeout=10,
        )
        line.connect()
        return line

    def close(self) -> None:
        for line in self._lines.values():
            line.close()
        self.ask("DELETE", "users", "recorder")


def _text(message: amqp.Message) -> str:
    body = message.body
    return body.decode() if isinstance(body, bytes) else str(body)

# SPDX-License-Identifier: Apache-2.0
"""What a guest says to the conductor, as oslo.messaging writes it on the wire.

One connection speaks for every guest: its user has the broker's tag ``impersonator``,
so that a message may carry the ``user_id`` of any guest. A thousand agents would each
have a connection of their own; here the control plane is measured, not they.
"""

import json
import ssl
import typing
import uuid

import amqp

from trove.model import naming
from trove.rpc import codec
from trove.rpc.broker import PROCESS
from trove.rpc.conductor import Conductor
from trove.rpc.messages import Enrolment, Report
from trove.rpc.transport import EXCHANGE, REPLY_EXCHANGE

QUORUM = {"x-queue-type": "quorum"}


def connect(
    host: str, vhost: str, user: str, password: str, ca: str
) -> amqp.Connection:
    """Over TLS, verified, as everybody."""
    line = amqp.Connection(
        host,
        user,
        password,
        virtual_host=vhost,
        ssl={
            "ca_certs": ca,
            "cert_reqs": ssl.CERT_REQUIRED,
            "server_hostname": host.rpartition(":")[0],
        },
        heartbeat=0,
    )
    line.connect()
    return line


def reply_queue(instance: str) -> str:
    """Where a guest hears the answer to its enrolment."""
    return f"reply_{naming.guest_user(instance)}:{PROCESS}:1"


def listen(channel: amqp.Channel, instance: str, heard: typing.Any) -> None:
    """The queues that an agent has, and their messages to ``heard``."""
    own = f"guestagent.{instance}"
    for exchange, queue in (
        (EXCHANGE, own),
        (EXCHANGE, f"{own}.{instance}"),
        (REPLY_EXCHANGE, reply_queue(instance)),
    ):
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments=QUORUM)
        channel.queue_bind(queue, exchange, queue)
        channel.basic_consume(
            queue,
            consumer_tag=queue,
            callback=heard,
            on_cancel=lambda tag: None,  # a delete has removed the queue
            no_ack=True,
        )


def leave(channel: amqp.Channel, instance: str) -> None:
    """Its server has gone."""
    own = f"guestagent.{instance}"
    for queue in (own, f"{own}.{instance}", reply_queue(instance)):
        channel.basic_cancel(queue)
        channel.queue_delete(queue)


def heartbeat(instance: str, report: Report) -> amqp.Message:
    """A cast."""
    return _message(instance, "heartbeat", {"report": codec.encode(report)}, {})


def enrol(instance: str, enrolment: Enrolment) -> amqp.Message:
    """A call."""
    asked = {
        "_msg_id": uuid.uuid4().hex,
        "_reply_q": reply_queue(instance),
        "_timeout": 30,
    }
    said = {"enrolment": codec.encode(enrolment)}
    return _message(instance, "enrol", said, asked)


def publish(channel: amqp.Channel, message: amqp.Message) -> None:
    """To whichever conductor is free."""
    channel.basic_publish(message, EXCHANGE, Conductor.topic)


def read(message: amqp.Message) -> dict[str, typing.Any]:
    """What the control plane says to a guest."""
    return typing.cast(
        dict[str, typing.Any], json.loads(json.loads(message.body)["oslo.message"])
    )


def _message(
    instance: str, method: str, arguments: typing.Any, asked: dict[str, typing.Any]
) -> amqp.Message:
    said = {
        "method": method,
        "args": arguments,
        "version": "1.0",
        "_unique_id": uuid.uuid4().hex,
        **asked,
    }
    body = json.dumps({"oslo.version": "2.0", "oslo.message": json.dumps(said)})
    return amqp.Message(
        body,
        content_type="application/json",
        content_encoding="utf-8",
        user_id=naming.guest_user(instance),
    )

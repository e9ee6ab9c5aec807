# SPDX-License-Identifier: Apache-2.0
"""Who has taken the broker, with the control plane's own user, commands no guest."""

import time

import amqp
import pytest

from tests.system.attacks import broker
from tests.system.deployment import until
from trove.localcloud import rabbitmq

pytestmark = [pytest.mark.root, pytest.mark.localcloud]


@pytest.fixture(name="channel")
def channel_of_the_control_plane(pair):
    access = rabbitmq.access(pair.deployment.place)
    line = amqp.Connection(
        access.guest_hosts[0],
        access.broker_user,
        access.broker_password,
        virtual_host=rabbitmq.GUESTS_VHOST,
        ssl={"ca_certs": access.ca_file, "server_hostname": _host(access)},
        connect_timeout=10,
    )
    line.connect()
    yield line.channel()
    line.close()


def _host(access):
    return access.guest_hosts[0].rpartition(":")[0]


def test_a_command_that_nobody_signed_is_not_obeyed(pair, channel):
    """Command other guests (section 4): it arrives, and nothing comes of it."""
    deployment, instance = pair.deployment, pair.victim
    sender = rabbitmq.access(deployment.place).broker_user
    begun = time.time()
    for method in ("stop_database", "restart_database"):
        for signature in ({}, {"_context_signature": "A" * 86 + "=="}):
            command = {
                "method": method,
                "args": {"job": f"forged/{method}"},
                "version": "1.0",
                **signature,
            }
            message = broker.envelope(command, user_id=sender)
            key = f"guestagent.{instance}"
            broker.send(channel, "trove", key, message)

    def refused():
        said = deployment.inside(
            *(instance, "journalctl", "-u", "trove-guestagent", "-o", "cat"),
            *("--no-pager", "--since", f"@{int(begun)}"),
        )
        return said.count("unsigned") >= 4

    until("it is read and refused", refused, 30)
    jobs = deployment.inside(instance, "ls", "/var/lib/trove-guest/jobs")
    assert "forged" not in jobs
    pair.heard_anew(instance)
    assert pair.demo.show(instance)["status"] in ("ACTIVE", "HEALTHY")

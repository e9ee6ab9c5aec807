# SPDX-License-Identifier: Apache-2.0
"""What a message of the cloud's says has changed, whoever wrote it; and where it comes
from. Its way over a broker is ``tests/contract/rpc/test_cloudnotices.py``.
"""

import json

import pytest
from oslo_config import cfg

from trove import errors
from trove.rpc.cloudnotices import addresses, changed

SERVER = "5f3d5c2e-1111-4222-8333-444455556666"
VOLUME = "6f3d5c2e-1111-4222-8333-444455556666"


def versioned(kind, uuid=SERVER):
    """As Nova's ``InstanceActionNotification`` is sent."""
    inner = {"uuid": uuid, "state": "active", "host": "compute-1"}
    named = {"nova_object.name": "InstanceActionPayload", "nova_object.version": "1.8"}
    return {"event_type": kind, "payload": named | {"nova_object.data": inner}}


def plain(kind, **payload):
    return {"event_type": kind, "payload": payload}


@pytest.mark.parametrize(
    ("message", "id"),
    [
        (versioned("instance.create.end"), SERVER),
        (versioned("instance.resize_finish.end"), SERVER),
        (versioned("instance.create.error"), SERVER),
        (versioned("instance.create.start"), None),
        (versioned("instance.update"), None),
        (plain("compute.instance.create.end", instance_id=SERVER), SERVER),
        (plain("volume.resize.end", volume_id=VOLUME, status="available"), VOLUME),
        (plain("volume.attach.end", volume_id=VOLUME, instance_id=SERVER), VOLUME),
        (plain("image.update", id=VOLUME), None),
        (plain("port.create.end", port={"id": VOLUME}), None),
    ],
)
@pytest.mark.parametrize("form", ["plain", "text", "envelope"])
def test_what_has_ended_is_known_by_its_id(message, id, form):
    body = {
        "plain": message,
        "text": json.dumps(message),
        "envelope": {"oslo.version": "2.0", "oslo.message": json.dumps(message)},
    }[form]
    assert changed(body) == id


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"\xff\xfe",
        "{",
        "[]",
        "1",
        {},
        {"oslo.message": 7},
        {"oslo.message": "{"},
        {"event_type": 7, "payload": {"volume_id": VOLUME}},
        plain("volume.create.end", volume_id=7),
        plain("volume.create.end", volume_id=""),
        plain("volume.create.end", volume_id="x" * 65),
        {"event_type": "volume.create.end", "payload": [VOLUME]},
        {"event_type": "a.end", "payload": {"nova_object.data": [SERVER]}},
        {"event_type": "a.end", "payload": {"nova_object.data": {"uuid": [SERVER]}}},
    ],
    ids=repr,
)
def test_what_makes_no_sense_says_nothing(body):
    assert changed(body) is None


def test_a_password_and_a_virtual_host_may_have_any_character():
    url = "rabbit://ann:p%40%2F%3A@one:5671,bob:q@two/a%2Fb?ssl=true&ssl_ca_file=/ca"
    said = addresses(cfg.ConfigOpts(), url)
    one, two = said["hostname"].split(";")
    assert one == "pyamqp://ann:p%40%2F%3A@one:5671/a%2Fb"
    assert two == "pyamqp://bob:q@two:5672/a%2Fb"
    assert said["ssl"]["ca_certs"] == "/ca"


@pytest.mark.parametrize("url", ["amqp1://h/", "rabbit://", "kafka://h:1/", "no url"])
def test_what_is_no_brokers_address_is_refused(url):
    with pytest.raises(errors.Invalid, match="notifications_url"):
        addresses(cfg.ConfigOpts(), url)

# SPDX-License-Identifier: Apache-2.0
"""Notifications on a real broker, read by oslo.messaging's own listener."""

import json
import logging
import threading

import oslo_messaging
import pytest

from trove import errors
from trove.rpc import transport
from trove.rpc.notices import GROUP, Notices

pytestmark = [pytest.mark.rabbitmq, pytest.mark.root]

TOLD = {"at": "2026-01-01 00:00:00.000000", "request_id": "req-1"}


class Endpoint:
    def __init__(self):
        self.heard, self.rung = [], threading.Semaphore(0)

    def info(self, context, publisher, kind, payload, metadata):
        self.heard.append(("info", context, publisher, kind, payload, metadata))
        self.rung.release()

    def error(self, context, publisher, kind, payload, metadata):
        self.heard.append(("error", context, publisher, kind, payload, metadata))
        self.rung.release()


@pytest.fixture
def settings(conf):
    from oslo_messaging.notify import notifier

    conf.register_opts(notifier._notifier_opts, group=GROUP)
    yield conf
    for name in ("driver", "topics", "transport_url"):
        conf.clear_override(name, group=GROUP)


@pytest.mark.parametrize("driver", ["messaging", "messagingv2"])
def test_a_listener_hears_what_happened(settings, driver):
    settings.set_override("driver", [driver], group=GROUP)
    settings.set_override("topics", [f"told-{driver}"], group=GROUP)
    notices = Notices(settings, "taskmanager.here")
    assert notices.wanted
    notices.send("m-1", "dbaas.instance_create.end", {"a": 1}, **TOLD)
    notices.send("m-2", "dbaas.instance_create.error", {}, error=True, **TOLD)
    bus = transport.notices(settings)
    endpoint = Endpoint()
    listener = oslo_messaging.get_notification_listener(
        bus,
        [oslo_messaging.Target(topic=f"told-{driver}")],
        [endpoint],
        executor="threading",
    )
    listener.start()
    try:
        for _ in range(2):
            assert endpoint.rung.acquire(timeout=20)
    finally:
        listener.stop()
        listener.wait()
        bus.cleanup()
    heard = {each[0]: each for each in endpoint.heard}
    _, context, publisher, kind, payload, metadata = heard["info"]
    assert (publisher, kind, payload) == (
        "taskmanager.here",
        "dbaas.instance_create.end",
        {"a": 1},
    )
    assert context["request_id"] == "req-1"
    assert metadata["message_id"] == "m-1"
    assert heard["error"][3] == "dbaas.instance_create.error"


def test_a_bus_that_is_away_is_told(settings):
    settings.set_override("driver", ["messagingv2"], group=GROUP)
    url = "rabbit://nobody:nothing@127.0.0.1:1/"
    settings.set_override("transport_url", url, group=GROUP)
    with pytest.raises(errors.Unavailable):
        Notices(settings, "here").send("m", "dbaas.x", {}, **TOLD)


def test_the_log_is_a_listener_too(settings, caplog):
    settings.set_override("driver", ["log"], group=GROUP)
    notices = Notices(settings, "here")
    assert notices.wanted
    with caplog.at_level(logging.INFO):
        notices.send("m-1", "dbaas.guest_silent", {"a": 1}, **TOLD)
    assert json.loads(caplog.messages[-1])["event_type"] == "dbaas.guest_silent"


def test_nobody_is_told_by_default_and_an_unknown_way_is_refused(settings):
    assert not Notices(settings, "here").wanted
    settings.set_override("driver", ["noop"], group=GROUP)
    assert not Notices(settings, "here").wanted
    settings.set_override("driver", ["pigeon"], group=GROUP)
    with pytest.raises(errors.Invalid, match="pigeon"):
        Notices(settings, "here")

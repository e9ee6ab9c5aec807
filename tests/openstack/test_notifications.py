# SPDX-License-Identifier: Apache-2.0
"""What a real Nova and a real Cinder say of themselves is heard (ADR 26)."""

import os
import threading
import uuid

import pytest
from oslo_config import cfg

from tests.contract.cloud import real
from tests.contract.cloud.conftest import clear
from tests.openstack.stand import NOTIFICATIONS
from trove.cloud import protocol
from trove.rpc.cloudnotices import CloudNotices

pytestmark = pytest.mark.openstack

TOPICS = ("notifications", "versioned_notifications")
EXCHANGES = ("nova", "cinder", "openstack")
SOON = 60.0
"""Seconds; a message is there when its service has sent it, at once."""


class Ears(CloudNotices):
    """Knows what it has heard of, and waits for it."""

    def __init__(self, url: str) -> None:
        self._heard_of: set[str] = set()
        self._news = threading.Condition()
        queue = f"tests-{uuid.uuid4().hex[:8]}"
        super().__init__(cfg.ConfigOpts(), url, queue, EXCHANGES, TOPICS, self._hear)

    def _hear(self, ids):
        with self._news:
            self._heard_of |= ids
            self._news.notify_all()

    def hears_of(self, id):
        with self._news:
            return self._news.wait_for(lambda: id in self._heard_of, SOON)

    def forget(self):
        with self._news:
            self._heard_of.clear()


@pytest.fixture
def ears():
    url = os.environ.get(NOTIFICATIONS)
    if not url:
        pytest.skip(f"{NOTIFICATIONS} is not set: this cloud tells nobody")
    made = Ears(url)
    made.start()
    yield made
    assert made.stop(10)


@pytest.fixture
def bench(dummy):
    made = real.RealBench(None, None)
    yield made
    clear(made, (made.cloud,))
    made.close()


def test_what_ends_in_nova_and_in_cinder_is_heard(bench, ears):
    cloud = bench.cloud
    # Its queue is bound to what each service sends to: a volume is tried until it is.
    bench.until(lambda: _volume_is_heard_of(bench, ears))
    port = cloud.network.create_port("n.port", bench.network, ())
    order = protocol.Boot("heard", bench.image, bench.flavor, (port.id,), None, "")
    server = cloud.compute.boot("n.server", order)
    assert ears.hears_of(server.id), "Nova made it"
    bench.until(lambda: cloud.compute.show(server.id).status == "ACTIVE")
    ears.forget()
    cloud.compute.delete(server.id)
    assert ears.hears_of(server.id), "Nova ended it"


def _volume_is_heard_of(bench, ears):
    made = bench.cloud.volumes.create("n.volume", 1)
    return ears.hears_of(made.id)

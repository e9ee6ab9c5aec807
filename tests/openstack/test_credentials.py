# SPDX-License-Identifier: Apache-2.0
"""The control plane as an application credential, which has no password of a user's."""

import contextlib
import uuid

import pytest

from tests.contract.cloud import real
from tests.contract.cloud.conftest import clear
from trove import errors
from trove.cloud import protocol
from trove.cloud.openstack import OpenstackCloud
from trove.cloud.openstack.session import Settings

pytestmark = pytest.mark.openstack


@pytest.fixture
def credential():
    """One of the service's own user."""
    with contextlib.closing(real.connection(real.SERVICE)) as service:
        identity, user = service.identity, service.current_user_id
        name = f"trove-tests-{uuid.uuid4().hex[:8]}"
        made = identity.create_application_credential(user, name)
        yield made
        identity.delete_application_credential(user, made)


def settings(id, secret):
    plain = real.settings(real.SERVICE, "one")
    return Settings(
        auth_url=plain.auth_url,
        deployment=plain.deployment,
        region_name=plain.region_name,
        interface=plain.interface,
        cafile=plain.cafile,
        application_credential_id=id,
        application_credential_secret=secret,
    )


def test_all_of_a_server_is_made_and_ended_with_it(dummy, credential):
    bench = real.RealBench(None, None)
    cloud = OpenstackCloud(settings(credential.id, credential.secret))
    try:
        volume = cloud.volumes.create("c.volume", 1)
        group = cloud.network.create_group("c.group", ())
        port = cloud.network.create_port("c.port", bench.network, (group.id,))
        where = ((port.id,), None, "")
        order = protocol.Boot(
            "by", cloud.images.newest(bench.tags).id, bench.flavor, *where
        )
        server = cloud.compute.boot("c.server", order)
        bench.until(lambda: cloud.compute.show(server.id).status == "ACTIVE")
        assert [each.id for each in bench.cloud.volumes.owned()] == [volume.id]
        clear(bench, (cloud,))
    finally:
        clear(bench, (bench.cloud,))
        cloud.close()
        bench.close()


def test_a_wrong_secret_is_said_so_and_is_not_repeated_in_the_error(credential):
    cloud = OpenstackCloud(settings(credential.id, "wrong-and-secret"))
    with contextlib.closing(cloud), pytest.raises(errors.TroveError) as refused:
        cloud.compute.flavors()
    assert "wrong-and-secret" not in str(refused.value)

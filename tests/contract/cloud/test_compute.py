# SPDX-License-Identifier: Apache-2.0
"""What every cloud's servers and flavors must do."""

import concurrent.futures
import dataclasses
import uuid

import pytest

from trove import errors
from trove.cloud import protocol

NOBODY = str(uuid.uuid4())


def status(cloud, server):
    return cloud.compute.show(server.id).status


def test_flavors_are_told_and_found(bench, cloud):
    flavor = cloud.compute.flavor(bench.flavor)
    assert flavor in cloud.compute.flavors()
    assert flavor.ram >= 256 and flavor.vcpus >= 1


@pytest.mark.parametrize("id", ["999", "../servers", "..", "", "a?b"])
def test_a_flavor_that_is_not_there_is_not_found(cloud, id):
    with pytest.raises(errors.FlavorNotFound):
        cloud.compute.flavor(id)


def test_what_nobody_made_is_not_there(cloud):
    assert cloud.compute.find("x.server") == []
    assert cloud.compute.owned() == []
    assert cloud.compute.show(NOBODY) is None
    cloud.compute.delete(NOBODY)


def test_a_server_has_what_was_ordered(bench, cloud, server, volume, port):
    assert (server.key, server.name, server.fault) == ("s.server", "a db", None)
    assert server.flavor == bench.flavor
    assert server.volumes == (volume.id,)
    assert server.addresses == port.addresses
    assert [s.id for s in cloud.compute.find("s.server")] == [server.id]
    assert [s.id for s in cloud.compute.owned()] == [server.id]
    assert cloud.network.show_port(port.id).server == server.id
    held = cloud.volumes.show(volume.id)
    assert (held.status, held.servers) == ("in-use", (server.id,))


def test_a_server_is_in_a_zone_that_there_is(cloud, order):
    nowhere = dataclasses.replace(order, availability_zone="nowhere")
    with pytest.raises(protocol.Refused) as refused:
        cloud.compute.boot("s.server", nowhere)
    assert refused.value.status == 400
    assert cloud.compute.find("s.server") == []
    here = dataclasses.replace(order, availability_zone="nova")
    made = cloud.compute.boot("s.server", here)
    assert [s.id for s in cloud.compute.find("s.server")] == [made.id]


def test_a_twin_is_refused_by_the_volume(bench, cloud, server, order):
    port = cloud.network.create_port("q.port", bench.network, ())
    with pytest.raises(protocol.Refused) as refused:
        cloud.compute.boot("s.server", dataclasses.replace(order, ports=(port.id,)))
    assert refused.value.status == 400
    assert [s.id for s in cloud.compute.find("s.server")] == [server.id]


def test_of_several_at_once_one_gets_the_volume(bench, cloud, order):
    def boot(number):
        port = cloud.network.create_port(f"{number}.port", bench.network, ())
        try:
            mine = dataclasses.replace(order, ports=(port.id,))
            return cloud.compute.boot("s.server", mine).id
        except protocol.Refused as refused:
            return refused.status

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(boot, range(4)))
    assert ends.count(400) == 3
    assert [s.id for s in cloud.compute.find("s.server")] == [
        end for end in ends if end != 400
    ]


@pytest.mark.parametrize("field", ["image", "flavor", "ports", "volume"])
def test_an_order_for_what_is_not_there_is_refused(cloud, order, field):
    wrong = (NOBODY,) if field == "ports" else NOBODY
    with pytest.raises(protocol.Refused):
        cloud.compute.boot("s.server", dataclasses.replace(order, **{field: wrong}))
    assert cloud.compute.owned() == []


def test_a_server_made_and_not_told_is_found_by_key(bench, cloud, order):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Unknown):
        cloud.compute.boot("s.server", order)
    server = cloud.compute.find("s.server")[0]
    bench.until(lambda: status(cloud, server) == "ACTIVE")


def test_a_server_that_goes_leaves_its_volume_and_its_port(
    bench, cloud, server, volume, port
):
    cloud.compute.delete(server.id)
    bench.until(lambda: cloud.compute.show(server.id) is None)
    cloud.compute.delete(server.id)
    assert cloud.compute.find("s.server") == []
    bench.until(lambda: cloud.volumes.show(volume.id).status == "available")
    assert cloud.volumes.show(volume.id).servers == ()
    assert cloud.network.show_port(port.id).server is None


def test_a_list_goes_on_though_its_last_one_goes(bench, cloud, server):
    """The next page is asked for by a server that is there no more."""
    gone = []

    def delete():
        cloud.compute.delete(server.id)
        bench.until(lambda: cloud.compute.show(server.id) is None)
        gone.append(server.id)

    bench.once_listed(delete)
    assert [s.id for s in cloud.compute.owned()] in ([], [server.id])
    assert gone == [server.id]
    assert cloud.compute.owned() == []


def test_a_volume_in_use_cannot_go_but_can_grow(bench, cloud, server, volume):
    with pytest.raises(protocol.CloudConflict):
        cloud.volumes.delete(volume.id)
    cloud.volumes.extend(volume.id, 2)
    bench.until(lambda: cloud.volumes.show(volume.id).size == 2)
    bench.until(lambda: cloud.volumes.show(volume.id).status == "in-use")


def test_a_server_stops_starts_and_reboots(bench, cloud, server):
    cloud.compute.stop(server.id)
    bench.until(lambda: status(cloud, server) == "SHUTOFF")
    cloud.compute.stop(server.id)
    cloud.compute.start(server.id)
    bench.until(lambda: status(cloud, server) == "ACTIVE")
    cloud.compute.start(server.id)
    for hard in (False, True):
        cloud.compute.reboot(server.id, hard=hard)
        bench.until(lambda: status(cloud, server) == "ACTIVE")


@pytest.mark.parametrize("keep", [True, False])
def test_another_size_is_kept_or_taken_back(bench, cloud, server, volume, keep):
    compute = cloud.compute
    compute.resize(server.id, bench.larger)
    bench.until(lambda: status(cloud, server) == "VERIFY_RESIZE")
    assert compute.show(server.id).flavor == bench.larger
    for call in (compute.stop, lambda id: compute.resize(id, bench.flavor)):
        with pytest.raises(protocol.CloudConflict):
            call(server.id)
    (compute.confirm if keep else compute.revert)(server.id)
    bench.until(lambda: status(cloud, server) == "ACTIVE")
    seen = compute.show(server.id)
    assert seen.flavor == (bench.larger if keep else bench.flavor)
    assert seen.volumes == (volume.id,)
    for call in (compute.confirm, compute.revert):
        with pytest.raises(protocol.CloudConflict):
            call(server.id)


@pytest.mark.parametrize("keep", [True, False])
def test_a_server_moves_to_another_host_if_there_is_one(bench, cloud, server, keep):
    compute = cloud.compute
    before = compute.show(server.id).host
    if not bench.hosts:
        _ask_to_move(compute, server)
        bench.until(lambda: not compute.show(server.id).moving)
        seen = compute.show(server.id)
        assert (seen.status, seen.host) == ("ACTIVE", before)
        return
    with pytest.raises(protocol.Refused):
        compute.migrate(server.id, "nosuch")
    compute.migrate(server.id, bench.hosts[0] if keep else None)
    bench.until(lambda: status(cloud, server) == "VERIFY_RESIZE")
    assert compute.show(server.id).host == bench.hosts[0]
    (compute.confirm if keep else compute.revert)(server.id)
    bench.until(lambda: status(cloud, server) == "ACTIVE")
    assert compute.show(server.id).host == (bench.hosts[0] if keep else before)


def _ask_to_move(compute, server):
    """Nova refuses at once; or, where a server may have another size on its own host
    (``allow_resize_to_same_host``), takes the order, and leaves the server there."""
    try:
        compute.migrate(server.id)
    except protocol.Refused as refused:
        assert refused.status == 400


@pytest.mark.parametrize("off", [False, True])
def test_a_server_is_built_anew_where_it_is(bench, cloud, server, volume, port, off):
    """Its id, its port and its volume stay; it runs, whatever it did before."""
    if off:
        cloud.compute.stop(server.id)
        bench.until(lambda: status(cloud, server) == "SHUTOFF")
    assert (server.image, server.mark) == (bench.image, None)
    cloud.compute.rebuild(server.id, bench.image, "#cloud-config\n{}", "op-1")
    begun = cloud.compute.show(server.id)
    assert (begun.status, begun.mark) == ("BUILD", "op-1")
    with pytest.raises(protocol.CloudConflict):
        cloud.compute.rebuild(server.id, bench.image, "#cloud-config\n{}", "op-2")
    bench.until(lambda: status(cloud, server) == "ACTIVE")
    seen = cloud.compute.show(server.id)
    assert (seen.image, seen.mark) == (bench.image, "op-1")
    assert seen.volumes == (volume.id,)
    assert seen.addresses == port.addresses
    assert [s.id for s in cloud.compute.find("s.server")] == [server.id]
    assert cloud.network.show_port(port.id).server == server.id


def test_a_rebuild_that_was_not_told_is_known_by_its_mark(bench, cloud, server):
    bench.lose_the_next_reply()
    with pytest.raises(protocol.Passing):
        cloud.compute.rebuild(server.id, bench.image, "#cloud-config\n{}", "op-1")
    assert cloud.compute.show(server.id).mark == "op-1"
    bench.until(lambda: status(cloud, server) == "ACTIVE")


def test_nothing_is_rebuilt_from_what_is_not_there(bench, cloud, server):
    with pytest.raises(protocol.Refused):
        cloud.compute.rebuild(server.id, NOBODY, "#cloud-config\n{}", "op-1")
    assert cloud.compute.show(server.id).mark is None
    with pytest.raises(protocol.Refused):
        cloud.compute.rebuild(NOBODY, bench.image, "#cloud-config\n{}", "op-1")


def test_a_server_that_is_off_stays_so_with_another_size(bench, cloud, server):
    cloud.compute.stop(server.id)
    bench.until(lambda: status(cloud, server) == "SHUTOFF")
    cloud.compute.resize(server.id, bench.larger)
    bench.until(lambda: status(cloud, server) == "VERIFY_RESIZE")
    cloud.compute.confirm(server.id)
    bench.until(lambda: status(cloud, server) == "SHUTOFF")


@pytest.mark.parametrize("flavor", ["nobody's", "its own"])
def test_no_size_that_is_not_there_and_not_the_same(bench, cloud, server, flavor):
    with pytest.raises(protocol.Refused):
        wanted = bench.flavor if flavor == "its own" else flavor
        cloud.compute.resize(server.id, wanted)
    assert cloud.compute.show(server.id).status == "ACTIVE"


def test_what_is_not_there_cannot_be_turned(bench, cloud):
    compute = cloud.compute

    def resize(id):
        compute.resize(id, bench.larger)

    turns = (compute.stop, compute.start, compute.reboot, compute.console)
    for call in (*turns, resize, compute.confirm, compute.revert):
        with pytest.raises(protocol.Refused) as refused:
            call(NOBODY)
        assert refused.value.status == 404


def test_the_console_has_its_last_lines(bench, cloud, server):
    bench.until(lambda: cloud.compute.console(server.id, lines=5))
    assert len(cloud.compute.console(server.id, lines=5).splitlines()) <= 6


def test_a_deployment_does_not_see_anothers(bench, order):
    theirs = bench.other.compute.boot("s.server", order)
    assert bench.cloud.compute.find("s.server") == []
    assert bench.cloud.compute.owned() == []
    assert [s.id for s in bench.other.compute.owned()] == [theirs.id]

# SPDX-License-Identifier: Apache-2.0
import pathlib

from trove.localcloud import addressing, bootstrap, guestimage, layout, releases, things

PLACE = layout.Layout(tag="tst", cidr="10.9.0.0/24")


def image(name):
    return guestimage.GuestImage((pathlib.Path(f"/cache/agent-{name}"),))


def test_the_first_contents_come_once(rows):
    for _ in range(2):
        bootstrap.fill(rows, PLACE, image("1"))
    with rows.transaction() as tx:
        assert [row.id for row in tx.all(things.Flavor)] == ["1", "2", "3", "4", "5"]
        network, public = tx.all(things.Network)
        subnet, outside = tx.all(things.Subnet)
        assert len(tx.all(things.Image)) == 2
    assert (network.bridge, subnet.cidr) == ("tstbr0", "10.9.0.0/24")
    # the first address is the host's
    addresses = (subnet.gateway, subnet.first, subnet.last)
    assert addresses == ("10.9.0.1", "10.9.0.2", "10.9.0.191")
    # the last quarter is for floating IPs
    assert (network.external, public.external) == (False, True)
    assert (outside.network, outside.cidr) == (public.id, "10.9.0.192/26")
    assert (outside.first, outside.last) == ("10.9.0.193", "10.9.0.254")


def test_an_older_deployment_gives_guests_no_public_address(rows):
    """Its guests had the whole range; one that is up there keeps its address."""
    bootstrap.fill(rows, PLACE, image("1"))
    with rows.transaction() as tx:
        subnet, outside = tx.all(things.Subnet)
        subnet.last = "10.9.0.254"
        tx.put(subnet)
        guest = ("10.9.0.193", ["g"], "server")
        place = (subnet.network, subnet.id, "fa:16:3e:09:00:c1")
        tx.put(things.Port("old", "p", "", 1.0, 1.0, *place, *guest))
    bootstrap.fill(rows, PLACE, image("2"))
    with rows.transaction() as tx:
        subnet = tx.get(things.Subnet, subnet.id)
        assert (subnet.first, subnet.last) == ("10.9.0.2", "10.9.0.191")
        assert tx.get(things.Port, "old").address == "10.9.0.193"
        free = addressing.choose(outside, addressing.held(tx), None)
        assert free == "10.9.0.194", "what a guest has is not given again"


def test_a_newer_image_takes_the_place_of_the_older(rows):
    bootstrap.fill(rows, PLACE, image("1"))
    bootstrap.fill(rows, PLACE, image("2"))
    bootstrap.retire(rows, image("2"))
    with rows.transaction() as tx:
        layers = {layer for row in tx.all(things.Image) for layer in row.layers}
    assert layers == {"/cache/agent-2"}
    assert bootstrap.used_layers(rows) == {"/cache/agent-2"}


def test_a_newer_image_leaves_other_releases_and_what_servers_run(rows):
    other = guestimage.GuestImage(
        (pathlib.Path("/cache/agent-t"),), releases.release("trixie").names
    )
    bootstrap.fill(rows, PLACE, image("1"))
    bootstrap.enter(rows, other)
    with rows.transaction() as tx:
        run = next(row for row in tx.all(things.Image) if "mariadb" in row.tags)
        tx.put(
            things.Server("s", "p", "db", 1.0, 1.0, "u", "1", run.id, list(run.layers))
        )
    bootstrap.fill(rows, PLACE, image("2"))
    bootstrap.retire(rows, image("2"))
    with rows.transaction() as tx:
        left = {(row.name, row.layers[0]) for row in tx.all(things.Image)}
    assert left == {
        ("trove-mariadb-10.11", "/cache/agent-1"),
        ("trove-mariadb-10.11", "/cache/agent-2"),
        ("trove-postgresql-15", "/cache/agent-2"),
        *((name, "/cache/agent-t") for name, _ in other.names),
    }
    assert {"trove-mariadb-11.8", "trove-postgresql-17"} <= {name for name, _ in left}

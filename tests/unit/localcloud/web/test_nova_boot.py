# SPDX-License-Identifier: Apache-2.0
import base64

import pytest

from trove.localcloud import things

SERVERS = "/compute/v2.1/servers"


def order(web, **values):
    plain = {"name": "db", "imageRef": web.image(), "flavorRef": "1"}
    hints = {key: values.pop(key) for key in list(values) if key.startswith("os:")}
    return {"server": plain | {"networks": "none"} | values, **hints}


def mapping(volume, root=True):
    image = {
        "source_type": "image",
        "destination_type": "local",
        "boot_index": 0,
        "uuid": "i",
    }
    entry = {
        "source_type": "volume",
        "destination_type": "volume",
        "boot_index": -1,
        "uuid": volume,
    }
    return [image, entry] if root else [entry]


def root(web, **values):
    return {
        "source_type": "image",
        "destination_type": "volume",
        "boot_index": 0,
        "uuid": web.image(),
        "volume_size": 3,
        "delete_on_termination": True,
    } | values


def test_a_root_may_be_a_volume_of_the_cloud(web):
    """Nova makes it of the image, and does not say of which."""
    own = web.volume()
    mapped = [root(web), *mapping(own, root=False)]
    server = web.boot(imageRef="", block_device_mapping_v2=mapped)
    shown = web("GET", f"{SERVERS}/{server}")["server"]
    assert shown["image"] == ""
    made, held = (one["id"] for one in shown["os-extended-volumes:volumes_attached"])
    assert held == own or made == own
    (made,) = {made, held} - {own}
    volume = web("GET", f"/volume/v3/p/volumes/{made}")["volume"]
    assert (volume["size"], volume["bootable"]) == (3, "true")
    assert web.get(things.Attachment, made).node == "/dev/vda"
    assert web.get(things.Attachment, own).node == "/dev/vdb"
    path = f"{SERVERS}/{server}/os-volume_attachments/{made}"
    assert "root device" in web.refused(403, "DELETE", path)


def test_a_volume_is_built_anew_since_2_93(web):
    server = web.boot(imageRef="", block_device_mapping_v2=[root(web)])
    with web.rows.transaction() as tx:
        row = tx.get(things.Server, server)
        row.image = "an older one"
        tx.put(row)
    path, body = f"{SERVERS}/{server}/action", {"rebuild": {"imageRef": web.image()}}
    said = web.refused(400, "POST", path, body, version="2.92")
    assert "volume-backed" in said
    web("POST", path, body, version="2.93", status=202)


@pytest.mark.parametrize(
    "values",
    [
        {"volume_size": 0},
        {"uuid": None},
        {"volume_size": None},
        {"uuid": "none"},
        {"volume_type": "x"},
    ],
)
def test_a_root_that_cannot_be_makes_nothing(web, values):
    mapped = [root(web, **values)]
    body = order(web, imageRef="", block_device_mapping_v2=mapped)
    web.refused(400, "POST", SERVERS, body)
    assert web("GET", SERVERS) == {"servers": []}
    assert web("GET", "/volume/v3/p/volumes/detail")["volumes"] == []


def test_an_order_is_rows_and_the_keeper_is_woken(web):
    volume, port = web.volume(), web.port()
    text = base64.b64encode(b"#cloud-config").decode()
    server = web.boot(
        status=None,
        networks=[{"port": port["id"]}],
        block_device_mapping_v2=mapping(volume),
        user_data=text,
        tags=["b", "a"],
    )
    row = web.get(things.Server, server)
    assert (row.status, row.doing, row.tags) == ("BUILD", "building", ["a", "b"])
    assert row.user_data == text
    assert web.get(things.Attachment, volume).node == "/dev/vdb"
    assert web.get(things.Volume, volume).status == "attaching"
    assert web.get(things.Port, port["id"]).server == server
    assert ("Server", server) in web.keeper.woken


@pytest.mark.parametrize(
    "values",
    [
        {"flavorRef": "77"},
        {"imageRef": "none"},
        {"name": ""},
        {"name": "x" * 256},
        {"availability_zone": "mars"},
        {"user_data": "not base64!"},
        {"user_data": base64.b64encode(b"x" * 70000).decode()},
        {"networks": [{"port": "none"}]},
        {"block_device_mapping_v2": mapping("none")},
        {"block_device_mapping_v2": mapping("none", root=False)},
        {"block_device_mapping_v2": [mapping("none")[0] | {"boot_index": 1}]},
        {"tags": ["a,b"]},
        {"tags": ["x" * 61]},
        {"metadata": {"a": 1}},
        {"os:scheduler_hints": {"group": "none"}},
    ],
)
def test_a_wrong_order_makes_nothing(web, values):
    web.refused(400, "POST", SERVERS, order(web, **values), version="2.79")
    assert web("GET", SERVERS) == {"servers": []}
    assert web.keeper.woken == []


def test_a_volume_is_in_one_server_only(web):
    volume = web.volume()
    web.boot(block_device_mapping_v2=mapping(volume))
    body = order(web, block_device_mapping_v2=mapping(volume))
    assert "must be 'available'" in web.refused(400, "POST", SERVERS, body)


def test_a_port_is_in_one_server_only(web):
    port = web.port()["id"]
    web.boot(networks=[{"port": port}])
    body = order(web, networks=[{"port": port}])
    assert "still in use" in web.refused(409, "POST", SERVERS, body)


def test_a_refused_order_leaves_the_volume_free(web):
    volume = web.volume()
    body = order(
        web, block_device_mapping_v2=mapping(volume), networks=[{"port": "none"}]
    )
    web.refused(400, "POST", SERVERS, body)
    assert web.get(things.Volume, volume).status == "available"


def test_tags_come_with_an_order_since_2_52(web):
    body = order(web, tags=["a"])
    assert "tags" in web.refused(400, "POST", SERVERS, body, version="2.51")
    web("POST", SERVERS, body, version="2.52", status=202)


def test_a_network_gives_a_port_that_goes_with_the_server(web):
    [network] = web("GET", "/network/v2.0/networks?name=trove")["networks"]
    server = web.boot(networks=[{"uuid": network["id"]}])
    [port] = web("GET", f"/network/v2.0/ports?device_id={server}")["ports"]
    assert web.get(things.Port, port["id"]).made_by_server

# SPDX-License-Identifier: Apache-2.0
import types

import pytest

from trove.guestimage import builder, glance

LABEL = builder.Label(
    name="trove-mariadb-10.11",
    tags=("trove", "mariadb", "10.11"),
    format="qcow2",
    release="bookworm",
    sha256="ab" * 32,
    bytes=300,
    virtual=3 * 2**30,
    secure_shell=False,
)


class Glance:
    """Images, as openstacksdk lists and makes them."""

    def __init__(self):
        self.there = []
        self.image = self

    def images(self, tag, status):
        return [one for one in self.there if set(tag) <= set(one.tags)]

    def create_image(self, name, *, filename, tags, meta, **how):
        meta = dict(meta)
        meta.pop("visibility")
        made = types.SimpleNamespace(
            id="1", name=name, tags=tags, properties=meta, how=how
        )
        self.there.append(made)
        return made


def test_the_same_content_is_uploaded_once(tmp_path):
    cloud = Glance()
    assert glance.find(cloud, LABEL) is None
    made = glance.upload(cloud, tmp_path / "it", LABEL, "mine", public=False)
    assert made.properties["min_disk"] == 3
    assert made.properties["hw_qemu_guest_agent"] == "no"
    assert made.how["allow_duplicates"] is True, "an older one is left alone"
    assert glance.find(cloud, LABEL) is made


@pytest.mark.parametrize("change", [{"sha256": "cd" * 32}, {"tags": ("trove", "x")}])
def test_another_content_or_another_tag_is_another_image(tmp_path, change):
    import dataclasses

    cloud = Glance()
    glance.upload(cloud, tmp_path / "it", LABEL, "mine", public=True)
    assert glance.find(cloud, dataclasses.replace(LABEL, **change)) is None


def test_where_no_cloud_is_named_it_says_what_to_set(monkeypatch, tmp_path):
    for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_CLIENT_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OS_CLOUD", "no-such-cloud")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(glance.Missing, match=r"clouds\.yaml"):
        glance.connect()

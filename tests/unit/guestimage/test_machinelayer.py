# SPDX-License-Identifier: Apache-2.0
import json
import shutil

import pytest
import yaml

from trove.guestimage import machinelayer
from trove.localcloud import guestimage

UNITS = "etc/systemd/system"


@pytest.fixture
def made(tmp_path, host, monkeypatch):
    sources = tmp_path / "debian.sources"
    sources.write_text("Types: deb\n")
    monkeypatch.setattr(guestimage, "SOURCES", (sources,))
    base, root = tmp_path / "base", tmp_path / "root"
    (base / UNITS).mkdir(parents=True)
    for unit in guestimage.MASKED:
        (base / UNITS / unit).symlink_to("/dev/null")
    (base / "dev").mkdir()
    (base / "dev/null").touch()
    (base / "etc").mkdir(exist_ok=True)
    (base / "etc/shadow").write_text("root:*:20785:0:99999:7:::\n")
    key = base / "etc/ssl/private/ssl-cert-snakeoil.key"
    key.parent.mkdir(parents=True)
    key.touch()

    def copied(argv):
        shutil.copytree(base, root, symlinks=True)
        return ""

    host.answers["cp --archive"] = copied

    def make(secure_shell=False):
        machinelayer.make(root, base, "bookworm", secure_shell, host, lambda _: None)
        return root

    return make


def test_what_only_a_container_must_not_have_is_there_again(made):
    units = made() / UNITS
    assert not (units / "systemd-logind.service").is_symlink(), "the power button"
    assert not (units / "systemd-timesyncd.service").is_symlink()
    assert (units / "getty.target").is_symlink(), "nobody logs in"


def test_tables_are_about_units_and_say_why():
    assert machinelayer.UNMASKED.keys() <= set(guestimage.MASKED)
    assert not machinelayer.MASKED.keys() & set(guestimage.MASKED)
    assert not machinelayer.MASKED.keys() & machinelayer.UNMASKED.keys()
    for unit, why in (machinelayer.MASKED | machinelayer.UNMASKED).items():
        assert unit.endswith((".service", ".socket", ".timer", ".mount"))
        assert len(why.split()) > 3


def test_packages_are_added_to_the_base(made, host):
    made()
    [line] = [line for line in host.lines() if "mmdebstrap" in line]
    assert line.startswith("env SOURCE_DATE_EPOCH=0 ")
    assert "--variant=custom" in line
    assert "linux-image-cloud-amd64" in line
    assert "openssh" not in line


def test_no_key_is_shared_and_nobody_logs_in(made):
    root = made()
    assert not list((root / "etc/ssl/private").iterdir())
    assert not (root / UNITS / "ssh.service.d").exists()
    config = yaml.safe_load((root / "etc/cloud/cloud.cfg.d/99-trove.cfg").read_text())
    assert config["users"] == []
    assert config["datasource_list"] == ["ConfigDrive", "None"]
    assert "write_files" in config["cloud_init_modules"]
    assert config["cloud_final_modules"] == []


def test_a_key_of_the_operator_brings_a_server_whose_keys_are_its_own(made, host):
    root = made(secure_shell=True)
    assert any("openssh-server" in line for line in host.lines())
    assert "ssh-keygen -A" in (root / UNITS / "ssh.service.d/keys.conf").read_text()
    assert machinelayer.recipe(True) != machinelayer.recipe(False)


def test_the_initrd_is_configured_before_the_kernel_comes(made, host):
    seen = []
    host.answers["mmdebstrap"] = lambda argv: seen.append(machinelayer.BEFORE) or ""
    root = made()
    assert seen
    modules = (root / "etc/initramfs-tools/modules").read_text().split()
    assert "virtio_blk" in modules
    assert json.dumps(modules) == json.dumps(sorted(modules))


def test_a_link_to_what_this_host_has_not_is_taken_away(tmp_path):
    link = tmp_path / "vmlinuz.old"
    link.symlink_to("/boot/that-this-host-has-not")
    machinelayer.remove(tmp_path, ("vmlinuz.old", "initrd.img.old"))
    assert not link.is_symlink()


def test_a_file_that_is_a_link_to_a_layer_is_not_written_through(tmp_path):
    (tmp_path / "layer").write_text("kept")
    (tmp_path / "tree").hardlink_to(tmp_path / "layer")
    machinelayer.write(tmp_path, {"tree": "new"}, mode=0o600)
    assert (tmp_path / "layer").read_text() == "kept"
    assert (tmp_path / "tree").read_text() == "new"

# SPDX-License-Identifier: Apache-2.0
import os

from trove.guestimage import tree
from trove.localcloud import programs

UUID = "f509d428-de6b-5b0c-85f7-52039c64da2b"


def file(path, text="", at=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_layers_become_one_tree_and_stay_as_they_are(tmp_path):
    low, high, made = (tmp_path / name for name in ("low", "high", "made"))
    file(low / "etc/one", "low")
    file(low / "etc/fstab", "low")
    file(low / "var/log/dpkg.log", "told")
    file(low / "var/log/apt/term.log", "told")
    file(low / "var/cache/debconf/config.dat", "told")
    file(high / "etc/one", "high")
    file(high / "opt/two", "high")
    made.mkdir()
    tree.merge((low, high), made, programs.Host())
    tree.complete(made, UUID, None)
    assert (made / "etc/one").read_text() == "high"
    assert (made / "opt/two").read_text() == "high"
    assert UUID in (made / "etc/fstab").read_text()
    assert not list((made / "var/log").rglob("*.log"))
    assert not (made / "root/.ssh").exists()
    assert (low / "etc/one").read_text() == "low"
    assert (low / "etc/fstab").read_text() == "low"
    assert (low / "var/log/dpkg.log").exists()


def test_a_key_is_roots_alone(tmp_path):
    (tmp_path / "root").mkdir()
    tree.complete(tmp_path, UUID, "ssh-ed25519 AAAA me\n\n")
    key = tmp_path / "root/.ssh/authorized_keys"
    assert key.read_text() == "ssh-ed25519 AAAA me\n"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_everything_is_listed_in_order(tmp_path):
    file(tmp_path / "b/c", at=5)
    (tmp_path / "a").symlink_to("/nowhere")
    names = [name for name, _ in tree.paths(tmp_path)]
    assert names == ["/", "/a", "/b", "/b/c"]
    assert dict(tree.paths(tmp_path))["/b/c"] == 5


def test_without_cloud_init_the_kernel_is_told_so():
    assert "cloud-init=disabled" in tree.options(False)
    assert "cloud-init" not in tree.options(True)

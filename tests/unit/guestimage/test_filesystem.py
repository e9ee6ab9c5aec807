# SPDX-License-Identifier: Apache-2.0
import os
import shutil
import subprocess

import pytest

from trove.guestimage import filesystem, tree
from trove.localcloud import programs

UUID = "f509d428-de6b-5b0c-85f7-52039c64da2b"


def test_no_time_is_later_than_the_image():
    lines = list(filesystem.orders([("/a", 50), ('/b "c"', 500)], 100))
    assert lines[0] == 'set_inode_field "/a" mtime @50\n'
    assert lines[4] == 'set_inode_field "/b ""c""" mtime @100\n'
    assert [line.split()[-1] for line in lines[1:4]] == ["@100"] * 3


@pytest.mark.skipif(not shutil.which("debugfs"), reason="needs e2fsprogs")
def test_the_same_tree_is_the_same_file_system(tmp_path):
    """With the real tools, as nobody in particular, on a small disk."""
    found = []
    for number, name in enumerate(("one", "two")):
        root = tmp_path / name
        (root / "etc").mkdir(parents=True)
        files = ["b", "a", 'with "quotes" and room']
        for file in files[:: 1 - 2 * number]:
            (root / "etc" / file).write_text(file)
            os.utime(root / "etc" / file, (900 + number, 2_000_000_000 + number))
        (root / "link").symlink_to("etc/a")
        disk = tmp_path / f"{name}.raw"
        with disk.open("wb") as file:
            file.truncate(24 * 2**20)
        where = (2**20, 23 * 2**20)
        host = programs.Host()
        filesystem.make(disk, root, *where, UUID, 1_700_000_000, host)
        filesystem.settle(disk, tree.paths(root), 2**20, 1_700_000_000, host)
        found.append(disk.read_bytes())
    assert found[0] == found[1]
    checked = subprocess.run(
        ["e2fsck", "-fn", f"{tmp_path}/one.raw?offset={2**20}"],
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout

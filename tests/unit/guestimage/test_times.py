# SPDX-License-Identifier: Apache-2.0
import os

from trove.guestimage import times


def file(path, text="", at=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_an_image_is_as_old_as_its_youngest_package(tmp_path):
    file(tmp_path / "usr/bin/old", at=100)
    file(tmp_path / "usr/bin/young", at=300)
    file(tmp_path / "etc/made-here", at=900)
    sums = "0" * 32 + "  usr/bin/old\n" + "0" * 32 + "  usr/bin/young\n"
    file(tmp_path / "var/lib/dpkg/info/it.md5sums", sums + "0" * 32 + "  usr/gone\n")
    assert times.newest(tmp_path) == 300


def test_no_password_was_changed_today():
    shadow = "root:*:20785:0:99999:7:::\nmysql:!:20785::::::\nodd:!::::::\n"
    assert times.without_today(shadow, 86400 * 7) == (
        "root:*:7:0:99999:7:::\nmysql:!:7::::::\nodd:!::::::\n"
    )

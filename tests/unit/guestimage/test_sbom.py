# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from trove.guestimage import sbom

STATUS = """\
Package: libc++1
Status: install ok installed
Maintainer: Debian <debian@lists>
Architecture: amd64
Source: llvm (14.0)
Version: 1:14.0-16~x
Description: a library
 with more lines

Package: gone
Status: deinstall ok config-files
Maintainer: Nobody <n@x>
Architecture: all
Version: 1
"""
UUID = "f509d428-de6b-5b0c-85f7-52039c64da2b"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    site = tmp_path / "opt/trove/site"
    for name, more in (
        ("oslo.config", "License-Expression: Apache-2.0\n"),
        ("Old_One", "License: whatever it says\n"),
    ):
        info = site / f"{name}-2.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 2.0\n{more}\nText.\n"
        )
    return tmp_path


def test_what_is_installed_is_listed_in_order(tree):
    found = sbom.parts(tree, "bookworm")
    assert [part.purl for part in found] == [
        "pkg:deb/debian/libc%2B%2B1@1%3A14.0-16~x?arch=amd64&distro=bookworm",
        "pkg:pypi/old-one@2.0",
        "pkg:pypi/oslo-config@2.0",
    ]
    assert found[0].source == "llvm (14.0)"
    assert [part.licence for part in found] == ["NOASSERTION"] * 2 + ["Apache-2.0"]


def test_the_bill_is_spdx_and_has_no_time_but_the_images(tree):
    found = sbom.parts(tree, "bookworm")
    bill = sbom.document("trove-x", found, UUID, 1_700_000_000)
    assert bill["spdxVersion"] == "SPDX-2.3"
    assert bill["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    ids = [package["SPDXID"] for package in bill["packages"]]
    assert len(set(ids)) == len(ids) == 4
    for id in ids:
        assert set(id.removeprefix("SPDXRef-")) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"
        )
    ends = {one["relatedSpdxElement"] for one in bill["relationships"]}
    assert ends == set(ids)
    again = sbom.document("trove-x", sbom.parts(tree, "bookworm"), UUID, 1_700_000_000)
    assert json.dumps(again) == json.dumps(bill)

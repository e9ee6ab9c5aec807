# SPDX-License-Identifier: Apache-2.0
"""The time of an image: no clock is asked, so that the same content has the same."""

import pathlib

DAY = 86400


def newest(tree: pathlib.Path) -> int:
    """When the youngest file that a package brought was made.

    No file of the image is younger: what the build made has this time too.
    """
    times = [0]
    for sums in (tree / "var/lib/dpkg/info").glob("*.md5sums"):
        for line in sums.read_text(errors="surrogateescape").splitlines():
            path = tree / line[34:]
            if path.is_file() and not path.is_symlink():
                times.append(int(path.stat().st_mtime))
    return max(times)


def without_today(shadow: str, epoch: int) -> str:
    """The file of passwords, of which none was changed on the day of the build."""
    lines = [line.split(":") for line in shadow.splitlines()]
    for fields in lines:
        if len(fields) > 2 and fields[2]:
            fields[2] = str(epoch // DAY)
    return "".join(":".join(fields) + "\n" for fields in lines)

# SPDX-License-Identifier: Apache-2.0
"""Runs a program in another root file system, which stays as it is.

``python within.py TREE DIRECTORY PROGRAM...``, in a mount name space of its own: the
directory is found inside at its own path, and nothing else there can be written to. The
program takes the place of this one: it has its process id, and its end.
"""

import os
import pathlib
import subprocess
import sys
import typing


def command(tree: pathlib.Path, directory: pathlib.Path) -> list[str]:
    """What stands before the words of the program."""
    spaces = ["unshare", "--mount", "--propagation=private", "--"]
    return [*spaces, sys.executable, "-I", __file__, str(tree), str(directory)]


def enter(tree: pathlib.Path, directory: pathlib.Path) -> None:
    """This process has the tree for its root."""
    _mount("--bind", str(tree), str(tree))
    _mount("-o", "remount,bind,ro", str(tree))
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", f"{tree}/tmp")
    inside = tree / directory.relative_to("/")
    before = os.umask(0o022)  # all that is on the way may be entered
    inside.mkdir(parents=True)
    os.umask(before)
    _mount("--bind", str(directory), str(inside))
    for name in ("dev", "proc"):
        _mount("--rbind", f"/{name}", f"{tree}/{name}")
    os.chroot(tree)
    os.chdir("/")


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, timeout=60)


def main(argv: typing.Sequence[str]) -> typing.NoReturn:
    """Goes in and becomes the program."""
    tree, directory, *words = argv
    enter(pathlib.Path(tree), pathlib.Path(directory))
    os.execvp(words[0], words)  # noqa: S606 - a list of words


if __name__ == "__main__":
    main(sys.argv[1:])

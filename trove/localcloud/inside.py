# SPDX-License-Identifier: Apache-2.0
"""A program inside an image: its layers are one root, for as long as the program runs.

It runs in name spaces of its own, which end with it: nothing stays mounted, whoever
dies, it reaches no network, and what it writes is in a directory that is thrown away.
"""

import os
import pathlib
import subprocess
import sys
import typing

SPACES = ("--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
DEVICES = ("null", "zero", "random", "urandom")


def command(
    layers: typing.Iterable[pathlib.Path], scratch: pathlib.Path, *argv: str
) -> tuple[str, ...]:
    """What to run so that ``argv`` is run inside; ``layers`` are topmost first."""
    root = ":".join(str(layer) for layer in layers)
    me = (sys.executable, "-m", __name__, root, str(scratch))
    return ("unshare", *SPACES, "--", *me, *argv)


def enter(layers: str, scratch: pathlib.Path) -> None:
    """This process, in name spaces of its own, has the layers for its root."""
    root, upper, work = (scratch / name for name in ("root", "upper", "work"))
    for path in (root, upper, work):
        path.mkdir(parents=True)
    options = f"lowerdir={layers},upperdir={upper},workdir={work}"
    _mount("overlay", root, options)
    _mount("proc", root / "proc")
    _mount("tmpfs", root / "dev", "mode=0755")
    for name in DEVICES:
        _device(pathlib.Path("/dev") / name, root / "dev" / name)
    (root / "dev/shm").mkdir(mode=0o1777)
    (root / "dev/shm").chmod(0o1777)
    os.chroot(root)
    os.chdir("/")


def _mount(kind: str, target: pathlib.Path, options: str = "defaults") -> None:
    target.mkdir(exist_ok=True)
    words = ["mount", "-t", kind, "-o", options, kind, str(target)]
    subprocess.run(words, check=True, timeout=60)


def _device(like: pathlib.Path, path: pathlib.Path) -> None:
    seen = like.stat()
    os.mknod(path, seen.st_mode, seen.st_rdev)
    path.chmod(0o666)


def main(argv: typing.Sequence[str]) -> typing.NoReturn:
    """Goes inside and becomes the program."""
    layers, scratch, *words = argv
    enter(layers, pathlib.Path(scratch))
    environment = ENVIRONMENT | {"PYTHONPATH": "/opt/trove/site"}
    os.execvpe(words[0], words, environment)  # noqa: S606 - a list of words


if __name__ == "__main__":
    main(sys.argv[1:])

# SPDX-License-Identifier: Apache-2.0
"""trove-guest-image: builds guest images that a Nova can boot, and uploads them."""

import argparse
import pathlib
import sys
import time
import typing

from trove import errors
from trove.guestimage import builder, disk, glance, needs
from trove.localcloud import guestimage, programs, releases

DESCRIPTION = """\
Guest images for Nova: a Debian with the database's packages and the guest agent, the
same content that the one-machine cloud's servers have, on a disk that boots."""

CACHE = "/var/cache/trove"
FAILED, REFUSED = 1, 2

Number = typing.Callable[[], float]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trove-guest-image", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _build_options(
        commands.add_parser(
            "build",
            help="make an image file, with its bill of materials and its rules",
            description="Makes FILE; beside it FILE.json (what 'upload' reads), "
            "FILE.spdx.json (bill of materials) and FILE.rules.json (for "
            "'trove-manage parameters load'). As root. The packages come from this "
            "host's apt sources, the agent's libraries from its pip settings; a "
            "machine that boots the image needs neither.",
        )
    )
    command = commands.add_parser(
        "upload",
        help="put an image file into Glance, unless its content is there",
        description="Speaks to the cloud of OS_CLOUD and clouds.yaml, or of the OS_* "
        "variables. An image of the same content and tags is left as it is. "
        "Nothing is deleted: servers are rebuilt from older images.",
    )
    command.add_argument("file", type=pathlib.Path, help="what 'build' made")
    command.add_argument("--name", help="in Glance; default: trove-DATASTORE-VERSION")
    command.add_argument(
        "--public", action="store_true", help="for every project, not for ours alone"
    )
    return parser


def _build_options(command: argparse.ArgumentParser) -> None:
    offered = sorted({name[1][1:] for one in releases.releases() for name in one.names})
    there = ", ".join(" ".join(words) for words in offered)
    command.add_argument("--datastore", required=True, help=f"one of: {there}")
    command.add_argument("--version", required=True, help="the engine's version")
    command.add_argument(
        "--release",
        choices=list(releases.PYTHONS),
        help="the Debian; default: the one that has the version",
    )
    command.add_argument("--output", required=True, type=pathlib.Path, metavar="FILE")
    command.add_argument(
        "--format", choices=builder.FORMATS, default="qcow2", help="default: qcow2"
    )
    command.add_argument(
        "--size", default="3G", help="of the disk, as the smallest flavor has; 3G"
    )
    command.add_argument(
        "--cache-dir",
        default=CACHE,
        type=pathlib.Path,
        help=f"where layers are kept for the next build; {CACHE}",
    )
    command.add_argument(
        "--no-cloud-init",
        action="store_true",
        help="the agent reads the config drive itself: 15 s less for a "
        "machine that is emulated; its root disk stays as large as the image",
    )
    command.add_argument(
        "--ssh-key",
        type=pathlib.Path,
        metavar="FILE",
        help="a public key that may log in as root, with a server for it; for "
        "looking into a guest, never in production. Without it nobody can log in",
    )


def _order(asked: argparse.Namespace) -> builder.Order:
    key = asked.ssh_key.read_text() if asked.ssh_key else None
    if key is not None and not key.startswith(("ssh-", "ecdsa-", "sk-")):
        raise errors.Invalid(f"{asked.ssh_key} is no public key.")
    order = builder.Order(
        datastore=asked.datastore,
        version=asked.version,
        release=_release(asked),
        output=asked.output.absolute(),
        format=asked.format,
        size=disk.size(asked.size),
        key=key,
        cloud_init=not asked.no_cloud_init,
    )
    order.named  # noqa: B018 - it refuses what the release does not have
    return order


def _release(asked: argparse.Namespace) -> releases.Release:
    """The first Debian that has what is asked for; or the one that is asked for."""
    there = [one for one in releases.releases() if asked.release in (None, one.suite)]
    for one in there:
        if one.has(asked.datastore, asked.version):
            return one
    return there[0]


def progress_since(start: float, clock: Number) -> typing.Callable[[str], None]:
    """Says each step with the seconds since the beginning."""
    return lambda text: guestimage.printed(f"{clock() - start:6.1f} s  {text}")


def build(asked: argparse.Namespace) -> int:
    """Makes an image."""
    order = _order(asked)
    needs.check()
    progress = progress_since(time.monotonic(), time.monotonic)
    label = builder.build(order, asked.cache_dir.absolute(), programs.Host(), progress)
    size = label.bytes / 2**20
    progress(f"{order.output}: {size:.0f} MiB, sha256 {label.sha256}")
    if label.secure_shell:
        progress("whoever has the key may log in as root: not for production")
    guestimage.printed("\n".join(registration(order, label)))
    return 0


def registration(order: builder.Order, label: builder.Label) -> list[str]:
    """What to type next, so that users can have the version."""
    rules = builder.beside(order.output, "rules.json")
    which = f"{order.datastore} {order.version}"
    return [
        "",
        "To offer it:",
        f"  trove-guest-image upload {order.output}",
        f"  trove-manage datastore version register {which} --manager "
        f"{order.datastore} --image-tags {','.join(label.tags)}",
        f"  trove-manage parameters load {which} {rules}",
    ]


def upload(asked: argparse.Namespace) -> int:
    """Puts an image into Glance."""
    label = builder.Label.read(asked.file)
    if builder.sha256(asked.file) != label.sha256:
        raise errors.Invalid(
            f"{asked.file} is not the file that {builder.beside(asked.file, 'json')} "
            "tells of; build it again."
        )
    cloud = glance.connect()
    found = glance.find(cloud, label)
    if found is not None:
        guestimage.printed(f"Glance has this content already: {found.name} {found.id}")
        return 0
    name = asked.name or label.name
    guestimage.printed(f"{name}: {label.bytes / 2**20:.0f} MiB go to Glance")
    made = glance.upload(cloud, asked.file, label, name, asked.public)
    guestimage.printed(f"{name} {made.id}, tagged {','.join(label.tags)}")
    return 0


ACTIONS: dict[str, typing.Callable[[argparse.Namespace], int]] = {
    "build": build,
    "upload": upload,
}


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 failed, 2 refused before anything was changed."""
    asked = _parser().parse_args(argv)
    try:
        return ACTIONS[asked.command](asked)
    except errors.Invalid as error:
        return _said(error, REFUSED)
    except (errors.TroveError, OSError) as error:
        return _said(error, FAILED)


def _said(error: Exception, code: int) -> int:
    sys.stderr.write(f"trove-guest-image: {error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())

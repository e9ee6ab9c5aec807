# SPDX-License-Identifier: Apache-2.0
"""trove-localcloud: the one-machine cloud, its guest image, and its end."""

import argparse
import json
import pathlib
import sys
import typing

from oslo_config import cfg
from oslo_log import log

from trove import config, errors
from trove.localcloud import (
    assembly,
    bootstrap,
    guestimage,
    layout,
    preflight,
    programs,
    releases,
    teardown,
)
from trove.service import process

DESCRIPTION = """\
A cloud of one machine: the HTTP of Nova, Cinder, Neutron, Glance and Swift beside a
real Keystone. Its servers are LXC system containers. For development and test: a
container is not a security boundary."""

COMMANDS = {
    "serve": "run the cloud until SIGTERM; servers keep running after it",
    "image": "build the guest image, where it is not built yet",
    "rules": "print what the engine of a datastore in the image takes (rules file)",
    "check": "say what this machine lacks, and change nothing",
    "down": "stop every server and take the network down; keep what they know",
    "purge": "remove every server, volume and network of the deployment",
    "leaks": "list what of the deployment is on this machine (JSON)",
}
FAILED, REFUSED = 1, 2
QUIET = "keystonemiddleware=ERROR"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trove-localcloud", description=DESCRIPTION)
    parser.add_argument(
        "--config-file", action="append", default=[], help="file of options"
    )
    for option, text in (
        ("state-dir", "directory of the deployment"),
        ("cache-dir", "directory of guest images"),
        ("tag", "two to four letters that mark what is ours"),
        ("cidr", "the guests' network"),
        ("ports", "first of the hundred TCP ports"),
        (
            "release",
            "Debian of 'image' and 'rules': bookworm (default), trixie; or all",
        ),
    ):
        parser.add_argument(f"--{option}", help=text)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if name == "rules":
            command.add_argument("datastore", help="its name")
    return parser


def _options(asked: argparse.Namespace) -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    log.register_options(conf)
    # It takes every plug-in option that it is given for an unknown one.
    log.set_defaults(
        default_log_levels=[*log.get_default_log_levels(), *config.QUIETER, QUIET]
    )
    config.register(conf, "localcloud")
    files = [f"--config-file={file}" for file in asked.config_file]
    # Only the files named: the control plane's own are not this program's.
    conf(files, project="trove", prog="trove-localcloud", default_config_files=[])
    for name in ("state_dir", "cache_dir", "tag", "cidr", "ports", "release"):
        value = getattr(asked, name)
        if value is not None:
            conf.set_override(name, value, group="localcloud")
    return conf


def place(conf: cfg.ConfigOpts) -> layout.Layout:
    """The layout that the options describe."""
    chosen = conf.localcloud
    state = pathlib.Path(chosen.state_dir).absolute()
    cache = pathlib.Path(chosen.cache_dir) if chosen.cache_dir else state / "cache"
    return layout.Layout(state, cache.absolute(), chosen.tag, chosen.cidr, chosen.ports)


def serve(where: layout.Layout, conf: cfg.ConfigOpts) -> int:
    """Runs the cloud."""
    log.setup(conf, "trove")
    host = programs.Host()
    with assembly.alone(where):
        # Not the disk: servers that run already may have filled it.
        ports = (where.cloud_port,)
        if why := preflight.refusals(where, host, ports=ports, space=0):
            return _refuse(why)
        image = guestimage.build(where.cache, host, guestimage.printed)
        part = assembly.LocalCloud(where, image, conf.localcloud.workers, host)
        ready = where.run / "localcloud.ready"
        return process.Process("trove-localcloud", [part], ready_file=ready).run()


def image(where: layout.Layout, conf: cfg.ConfigOpts) -> int:
    """Builds the guest image of a release, or of all; where a cloud is, it has them."""
    name = conf.localcloud.release
    every = name == releases.ALL
    wanted = releases.releases() if every else [releases.release(name)]
    host = programs.Host()
    for built in guestimage.build_each(where.cache, host, guestimage.printed, wanted):
        _enter(where, built)
    return 0


def _enter(where: layout.Layout, built: guestimage.GuestImage) -> None:
    for layer in built.layers:
        guestimage.printed(str(layer))
    if (where.cloud / assembly.ROWS).exists():
        store = assembly.store_of(where)
        try:
            bootstrap.enter(store, built)
            bootstrap.retire(store, built)
        finally:
            store.close()
        for name, tags in built.names:
            guestimage.printed(f"image {name}, tagged {','.join(tags)}")


def rules(where: layout.Layout, conf: cfg.ConfigOpts, datastore: str) -> int:
    """Prints the rules of a datastore, of the image that is built where it is not."""
    release = releases.release(conf.localcloud.release)
    built = guestimage.build(
        where.cache, programs.Host(), lambda _text: None, release=release
    )
    sys.stdout.write(built.rules(datastore).read_text())
    return 0


def check(where: layout.Layout, conf: cfg.ConfigOpts) -> int:
    """Says what is missing."""
    host = programs.Host()
    for warning in preflight.warnings(where, host):
        guestimage.printed(warning)
    why = preflight.refusals(where, host)
    return _refuse(why) if why else 0


def down(where: layout.Layout, conf: cfg.ConfigOpts) -> int:
    """Stops every server."""
    teardown.down(where, programs.Host(), guestimage.printed)
    return 0


def purge(where: layout.Layout, conf: cfg.ConfigOpts) -> int:
    """Removes everything."""
    teardown.purge(where, programs.Host(), guestimage.printed)
    left = teardown.leaks(where, programs.Host())
    if any(left.values()):
        guestimage.printed(json.dumps(left, indent=1))
        return FAILED
    return 0


def leaks(where: layout.Layout, conf: cfg.ConfigOpts) -> int:
    """Lists what is there; 1 when there is anything."""
    left = teardown.leaks(where, programs.Host())
    guestimage.printed(json.dumps(left, indent=1))
    return FAILED if any(left.values()) else 0


def _refuse(why: list[str]) -> int:
    for sentence in why:
        sys.stderr.write(f"trove-localcloud: {sentence}\n")
    return REFUSED


ACTIONS: dict[str, typing.Callable[[layout.Layout, cfg.ConfigOpts], int]] = {
    "serve": serve,
    "image": image,
    "check": check,
    "down": down,
    "purge": purge,
    "leaks": leaks,
}


def main(argv: typing.Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 failed, 2 refused before anything was changed."""
    asked = _parser().parse_args(argv)
    try:
        conf = _options(asked)
        where = place(conf)
        if asked.command == "rules":
            return rules(where, conf, asked.datastore)
        return ACTIONS[asked.command](where, conf)
    except (cfg.Error, ValueError) as error:
        return _refuse([str(error)])
    except assembly.AlreadyRunning as error:
        return _refuse([error.message])
    except (errors.TroveError, OSError) as error:
        sys.stderr.write(f"trove-localcloud: {error}\n")
        return FAILED


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""The options: registers the groups a process asks for, and lists them for samples.

One module a group (``config/<group>.py``): ``GROUP``, an ``OptGroup`` or None for
``[DEFAULT]``, and ``OPTS``. They are read in ``cmd/`` and by constructors only.
"""

import importlib
import pkgutil
import types
import typing

from oslo_config import cfg

Listed = list[tuple[typing.Any, list[cfg.Opt]]]

PROCESSES: dict[str, tuple[str, ...]] = {
    "api": (
        *("service", "listen", "api", "quota", "database", "rpc", "cloud", "backup"),
        "recycle",
    ),
    "taskmanager": (
        *("service", "manager", "taskmanager", "quota", "database", "rpc", "cloud"),
        "backup",
    ),
    "conductor": ("service", "conductor", "database", "rpc"),
    "guestagent": ("guest", "broker"),
    "manage": ("service", "database", "rpc", "cloud", "quota", "backup"),
    "status": ("service", "database", "rpc", "taskmanager", "cloud", "backup"),
}
"""Which groups each process reads; the sample files are made from the same table."""

QUIETER = ("oslo_service=WARN", "oslo.service=WARN", "urllib3=WARN")


def _load(group: str) -> types.ModuleType:
    return importlib.import_module(f"{__name__}.{group}")


def register(conf: cfg.ConfigOpts, *groups: str) -> None:
    """Make the options of these groups known to ``conf``; twice does no harm."""
    for name in groups:
        module = _load(name)
        if module.GROUP is not None:
            conf.register_group(module.GROUP)
        conf.register_opts(module.OPTS, group=module.GROUP)


def parse(
    process: str, argv: typing.Sequence[str], conf: cfg.ConfigOpts = cfg.CONF
) -> cfg.ConfigOpts:
    """A process's options from its files and command line; logging set up by them.

    The global set by default: oslo.messaging looks some of its own up only there.
    """
    from oslo_log import log  # a guest has its own, smaller way

    conf.reset()  # what an earlier call in the same process left
    log.register_options(conf)
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *QUIETER])
    register(conf, *PROCESSES[process])
    conf(list(argv), project="trove", prog=f"trove-{process}")
    log.setup(conf, "trove")
    return conf


def groups() -> list[str]:
    """Every group there is a module for."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__))


def names() -> dict[str, set[str]]:
    """The options that a group's section of a file may have, by section. Without
    [DEFAULT]: it is other libraries' as well."""
    found: dict[str, set[str]] = {}
    for group, options in list_opts():
        if group is not None:
            mine = found.setdefault(group.name, set())
            for option in options:
                mine |= {option.name, option.dest}
                mine |= {old.name for old in option.deprecated_opts if old.name}
    return found


def _listed(names: typing.Iterable[str]) -> Listed:
    modules = [_load(name) for name in names]
    return [(module.GROUP, list(module.OPTS)) for module in modules]


def list_opts() -> Listed:
    """Every option, for oslo-config-generator and oslo-config-validator."""
    return _listed(groups())


def list_api_opts() -> Listed:
    """What trove-api reads."""
    return _listed(PROCESSES["api"])


def list_taskmanager_opts() -> Listed:
    """What trove-taskmanager reads."""
    return _listed(PROCESSES["taskmanager"])


def list_conductor_opts() -> Listed:
    """What trove-conductor reads."""
    return _listed(PROCESSES["conductor"])


def list_guestagent_opts() -> Listed:
    """What trove-guestagent reads, inside a guest."""
    return _listed(PROCESSES["guestagent"])

# SPDX-License-Identifier: Apache-2.0
"""One machine: every process's options and keys, and what the supervisor runs.

Everything is derived from the layout, so writing it again changes nothing that runs;
what must be made once (keys, passwords, the authority) is kept.
"""

import configparser
import io
import json
import os
import pathlib
import shutil
import sys
import typing

from cryptography import fernet

from trove.localcloud import bootstrap, identity, rabbitmq
from trove.localcloud.layout import Layout
from trove.rpc import signing
from trove.service.certificates import Authority
from trove.service.supervised import Program, Ready
from trove.storage.keys import Keyring

Sections = dict[str, dict[str, typing.Any]]

BROKER_READY = "broker-ready"
"""What the supervisor asks ``trove.cmd.quickstart`` about the broker."""


def prepare(place: Layout, keystone: pathlib.Path, say: typing.Any) -> None:
    """Directories, keys, the authority, Keystone, the broker's files, the options."""
    place.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    for folder in (place.etc, place.run, place.log):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seal = place.etc / "seal-keys"
    if not seal.exists():
        identity.write(seal, fernet.Fernet.generate_key().decode() + "\n")
    signs = place.etc / "signing-key"
    if not signs.exists():
        identity.write(signs, signing.new_key() + "\n")
    keyring = place.etc / "backup-keys"
    if not keyring.exists():
        Keyring.create(keyring)
    authority = Authority.create(place.pki)
    identity.prepare(place, keystone, say)
    rabbitmq.prepare(place, authority)
    for name, sections in options(place).items():
        identity.write(place.etc / f"{name}.conf", render(sections))
    shutil.copyfile(paste_file(), place.etc / "api-paste.ini")


def render(sections: Sections) -> str:
    """The options as oslo.config reads them; a dollar would refer to another option."""
    parser = configparser.ConfigParser(interpolation=None)
    for section, values in sections.items():
        parser[section] = {
            name: str(value).replace("$", "$$") for name, value in values.items()
        }
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def paste_file() -> pathlib.Path:
    """The pipeline: of the checkout, or where pip put it."""
    beside = pathlib.Path(__file__).resolve().parents[2]
    for root in (beside, pathlib.Path(sys.prefix)):
        if (root / "etc/trove/api-paste.ini").is_file():
            return root / "etc/trove/api-paste.ini"
    raise FileNotFoundError("etc/trove/api-paste.ini is not installed")


def options(place: Layout) -> dict[str, Sections]:
    """Every file of options, by its name."""
    files: dict[str, Sections] = {
        "trove": _shared(place),
        "trove-api": _api(place),
        "trove-conductor": {"conductor": {"authority": place.pki}},
        "trove-taskmanager": {
            "DEFAULT": {
                "taskmanager_manager": "trove.taskmanager.manager.Manager",
            },
            "taskmanager": {
                "management_network": bootstrap.NETWORK,
                "signing_key": place.etc / "signing-key",
                "object_stores": f"{place.host_address}:{place.object_port}",
            },
        },
        "localcloud": {
            "localcloud": {
                "state_dir": place.state,
                "cache_dir": place.cache,
                "tag": place.tag,
                "cidr": place.cidr,
                "ports": place.ports,
            }
        },
    }
    for name in READY_FILES:
        files[f"ready-{name}"] = {"DEFAULT": {"ready_file": _ready_file(place, name)}}
    return files


READY_FILES = ("conductor", "taskmanager-1", "taskmanager-2")


def _ready_file(place: Layout, name: str) -> pathlib.Path:
    return place.run / f"{name}.ready"


def _service_user(place: Layout) -> dict[str, typing.Any]:
    return {
        "auth_url": f"{identity.url(place)}/v3",
        "username": "trove",
        "password": identity.passwords(place)["trove"],
        "user_domain_name": "Default",
        "project_name": identity.SERVICE,
        "project_domain_name": "Default",
        "region_name": identity.REGION,
    }


def _shared(place: Layout) -> Sections:
    broker = rabbitmq.access(place)
    return {
        "database": {
            "connection": f"sqlite:///{place.database}",
            "seal_keys": place.etc / "seal-keys",
        },
        "rpc": {
            "control_url": broker.control_url,
            "guests_url": broker.guests_url,
            "ca_file": broker.ca_file,
            "guest_hosts": ",".join(broker.guest_hosts),
            "broker_url": broker.broker_url,
            "broker_user": broker.broker_user,
            "broker_password": broker.broker_password,
        },
        "cloud": {"deployment": place.tag, **_service_user(place)},
        "backup": {
            "driver": "swift",
            "keyring": place.etc / "backup-keys",
            # instances of one machine are for trying: who wants it asks for it
            "schedule_by_default": "false",
            "final_by_default": "false",
            # and who does sees it soon
            "schedule_interval": 10,
            "ship_interval": 10,
            "archive_interval": 3,
        },
        "recycle": {"by_default": "false"},
        "oslo_concurrency": {"lock_path": place.run},
    }


def _api(place: Layout) -> Sections:
    return {
        "listen": {
            "host": "127.0.0.1",
            "port": place.api_port,
            "paste_config": place.etc / "api-paste.ini",
        },
        "keystone_authtoken": {
            "auth_type": "password",
            "www_authenticate_uri": f"{identity.url(place)}/v3",
            "service_token_roles": "service",
            "service_token_roles_required": "true",
            **_service_user(place),
        },
    }


# -- what is run ---------------------------------------------------------------------


def programs(place: Layout, keystone: pathlib.Path) -> list[Program]:
    """Every process of the deployment, in an order that can be started."""
    api = f"http://127.0.0.1:{place.api_port}/healthcheck"
    return [
        *_cloud(place, keystone),
        _broker(place),
        *(
            _python(
                place,
                name,
                name.partition("-")[0],
                ("trove", f"trove-{name.partition('-')[0]}", f"ready-{name}"),
                ready=Ready(file=str(_ready_file(place, name)), within=120),
            )
            for name in READY_FILES
        ),
        _python(
            place,
            "api",
            "api",
            ("trove", "trove-api"),
            ready=Ready(http=api, within=120),
        ),
    ]


def _cloud(place: Layout, keystone: pathlib.Path) -> list[Program]:
    argv, environ = identity.command(place, keystone)
    serve = (
        sys.executable,
        "-m",
        "trove.cmd.localcloud",
        f"--config-file={place.etc / 'localcloud.conf'}",
        "serve",
    )
    compute = f"http://127.0.0.1:{place.cloud_port}/compute/"
    return [
        Program(
            "keystone",
            tuple(argv),
            env=environ,
            ready=Ready(http=f"{identity.url(place)}/v3", within=120),
            stop_within=20,
        ),
        Program(
            "localcloud",
            serve,
            env=environment(),
            ready=Ready(http=compute, within=120),
        ),
    ]


def _broker(place: Layout) -> Program:
    """After the cloud, which makes the bridge that it listens on."""
    argv, environ, user = rabbitmq.command(place)
    return Program(
        "rabbitmq",
        tuple(argv),
        env=environ,
        user=user,
        after=("localcloud",),
        ready=Ready(
            tcp=f"127.0.0.1:{place.broker_http_port}",
            argv=question(place, BROKER_READY),
            within=180,
        ),
    )


def _python(
    place: Layout,
    name: str,
    module: str,
    files: tuple[str, ...],
    ready: Ready,
) -> Program:
    argv = [sys.executable, "-m", f"trove.cmd.{module}"]
    for file in files:
        argv += ["--config-file", str(place.etc / f"{file}.conf")]
    return Program(
        name,
        tuple(argv),
        env=environment(),
        after=("rabbitmq", "keystone"),
        ready=ready,
        stop_within=75,
    )


def environment() -> dict[str, str]:
    """What our own processes are run with."""
    return {
        "HOME": os.environ.get("HOME", "/root"),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONUNBUFFERED": "1",
    }


def question(place: Layout, what: str) -> tuple[str, ...]:
    """A question of the supervisor's, answered by ``trove.cmd.quickstart``."""
    return (sys.executable, "-m", "trove.cmd.quickstart", what, *arguments(place))


def arguments(place: Layout) -> list[str]:
    """The layout, as the quickstart's command line says it."""
    words = {
        "--state-dir": place.state,
        "--cache-dir": place.cache,
        "--tag": place.tag,
        "--cidr": place.cidr,
        "--ports": place.ports,
    }
    return [str(word) for pair in words.items() for word in pair]


def write_plan(place: Layout, keystone: pathlib.Path) -> pathlib.Path:
    """The supervisor's file."""
    plan = {
        "run": str(place.run),
        "log": str(place.log),
        "processes": [program.to_dict() for program in programs(place, keystone)],
    }
    file = place.etc / "supervise.json"
    identity.write(file, json.dumps(plan, indent=1) + "\n")
    return file

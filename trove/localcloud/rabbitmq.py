# SPDX-License-Identifier: Apache-2.0
"""The one-machine deployment's own RabbitMQ node, beside any other on the machine.

It has its own name, ports, port mapper, home, cookie and directories. Everybody comes
in through TLS: the control plane on loopback, guests on the bridge's address. Its
management API answers on loopback only.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import pwd
import signal
import socket
import time

from trove import errors
from trove.localcloud.layout import Layout
from trove.rpc import passwords
from trove.rpc.broker import Broker
from trove.service.certificates import Authority

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
USER = "rabbitmq"

CONTROL_VHOST = "/trove"
GUESTS_VHOST = "/trove-guests"
CONTROL_USER = "trove-control"
ADMIN_USER = "trove-admin"

LOOPBACK = "127.0.0.1"

# Idle schedulers sleep rather than spin: the machine has other work. And no scheduler
# polls sockets: with that, a guest that floods (a connection that is blocked with more
# to read) made a processor spin until the node was restarted, on Erlang 25.
_ERLANG = (
    "+sbwt none +sbwtdcpu none +sbwtdio none +IOs false "
    "-kernel inet_dist_use_interface {127,0,0,1}"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach the node: the values of ``[rpc]``."""

    control_url: str = dataclasses.field(repr=False)
    guests_url: str = dataclasses.field(repr=False)
    broker_url: str
    broker_user: str
    broker_password: str = dataclasses.field(repr=False)
    ca_file: str
    guest_hosts: tuple[str, ...]

    def broker(self, vhost: str = GUESTS_VHOST) -> Broker:
        """The management API, for one virtual host."""
        return Broker(self.broker_url, self.broker_user, self.broker_password, vhost)


def prepare(layout: Layout, authority: Authority, address: str | None = None) -> None:
    """Everything the node reads; passwords and certificate are kept if they are there.

    ``address`` is where guests come in: the bridge's, unless said otherwise.
    """
    address = address or layout.host_address
    layout.etc.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The node is another user's, and must get to its directory.
    layout.state.chmod(layout.state.stat().st_mode | 0o111)
    for directory in (layout.rabbitmq, *_directories(layout)):
        directory.mkdir(exist_ok=True, mode=0o750)
        _give(directory)
    secret = _secrets(layout)
    layout.pki.mkdir(exist_ok=True, mode=0o755)
    _public(_ca_file(layout), authority.ca_pem)
    certificate, key = authority.server_certificate(
        ["localhost"], sorted({LOOPBACK, address}), days=365
    )
    _private(layout.rabbitmq / "ca.pem", authority.ca_pem)
    _private(layout.rabbitmq / "server.pem", certificate)
    _private(layout.rabbitmq / "server.key", key)
    _private(layout.rabbitmq / "rabbitmq.conf", _configuration(layout, address))
    _private(layout.rabbitmq / "rabbitmq-env.conf", "")
    _private(layout.rabbitmq / "enabled_plugins", "[rabbitmq_management].\n")
    _private(layout.rabbitmq / "definitions.json", json.dumps(_users(secret)))


def command(layout: Layout) -> tuple[list[str], dict[str, str], str | None]:
    """What to run in the foreground: argv, environment, user (None: ours)."""
    home = layout.rabbitmq
    environment = _erlang(layout) | {
        "RABBITMQ_NODENAME": _node(layout),
        "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
        "RABBITMQ_NODE_PORT": str(layout.amqp_port),
        "RABBITMQ_DIST_PORT": str(layout.broker_dist_port),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(_pid_file(layout)),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _ERLANG,
    }
    return [SERVER], environment, USER if os.geteuid() == 0 else None


def access(layout: Layout, address: str | None = None) -> Access:
    """How to reach it, once ``prepare`` was there."""
    secret = _secrets(layout)
    host = address or layout.host_address
    user = f"{CONTROL_USER}:{secret[CONTROL_USER]}"
    return Access(
        control_url=f"rabbit://{user}@{LOOPBACK}:{layout.amqp_port}/{CONTROL_VHOST}",
        guests_url=(
            f"trove-rabbit://{user}@{LOOPBACK}:{layout.amqp_port}/{GUESTS_VHOST}"
        ),
        broker_url=f"http://{LOOPBACK}:{layout.broker_http_port}",
        broker_user=ADMIN_USER,
        broker_password=secret[ADMIN_USER],
        ca_file=str(_ca_file(layout)),
        guest_hosts=(f"{host}:{layout.guests_amqp_port}",),
    )


def ready(layout: Layout, address: str | None = None) -> bool:
    """Does it take connections, of everybody it is for?"""
    for host, port in (
        (LOOPBACK, layout.amqp_port),
        (address or layout.host_address, layout.guests_amqp_port),
    ):
        try:
            socket.create_connection((host, port), 2).close()
        except OSError:
            return False
    return access(layout).broker().alive()


def setup(layout: Layout) -> None:
    """The two virtual hosts, before anybody uses them; again does no harm."""
    for vhost in (CONTROL_VHOST, GUESTS_VHOST):
        access(layout).broker(vhost).prepare_vhost(CONTROL_USER)


def stop(layout: Layout, within: float = 60.0) -> None:
    """End the node, in good order if it can, and then its port mapper."""
    _end(layout, "beam.smp", within)
    _end(layout, "epmd", 5.0)
    _pid_file(layout).unlink(missing_ok=True)


# -- files


def _directories(layout: Layout) -> list[pathlib.Path]:
    return [layout.rabbitmq / name for name in ("mnesia", "log", "home")]


def _pid_file(layout: Layout) -> pathlib.Path:
    return layout.rabbitmq / "node.pid"


def _ca_file(layout: Layout) -> pathlib.Path:
    return layout.pki / "broker-ca.pem"


def _node(layout: Layout) -> str:
    return f"{layout.tag}@localhost"


def _erlang(layout: Layout) -> dict[str, str]:
    return {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(layout.rabbitmq / "home"),
        "ERL_EPMD_PORT": str(layout.epmd_port),
        "ERL_EPMD_ADDRESS": LOOPBACK,
    }


def _configuration(layout: Layout, address: str) -> str:
    home = layout.rabbitmq
    lines = {
        "listeners.tcp": "none",
        "listeners.ssl.control": f"{LOOPBACK}:{layout.amqp_port}",
        "listeners.ssl.guests": f"{address}:{layout.guests_amqp_port}",
        "ssl_options.cacertfile": home / "ca.pem",
        "ssl_options.certfile": home / "server.pem",
        "ssl_options.keyfile": home / "server.key",
        "ssl_options.verify": "verify_none",
        "ssl_options.fail_if_no_peer_cert": "false",
        "ssl_options.versions.1": "tlsv1.3",
        "ssl_options.versions.2": "tlsv1.2",
        "management.tcp.ip": LOOPBACK,
        "management.tcp.port": layout.broker_http_port,
        "load_definitions": home / "definitions.json",
        "max_message_size": 4 * 1024 * 1024,
        "collect_statistics_interval": 30000,
        # One machine, a handful of guests: half a gigabyte of log ahead is too much.
        "raft.wal_max_size_bytes": 32 * 1024 * 1024,
        "vm_memory_high_watermark.relative": 0.2,
        "log.file.level": "info",
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def _users(secret: dict[str, str]) -> dict[str, list[dict[str, object]]]:
    """The two users of the control plane, in the form the node loads at its start."""
    return {
        "users": [
            {
                "name": name,
                "password_hash": passwords.hash_password(secret[name]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": tags,
            }
            for name, tags in ((CONTROL_USER, ""), (ADMIN_USER, "administrator"))
        ]
    }


def _secrets(layout: Layout) -> dict[str, str]:
    """The passwords of those two, made once."""
    path = layout.etc / "broker.json"
    if not path.exists():
        made = {user: passwords.new_password() for user in (CONTROL_USER, ADMIN_USER)}
        _write(path, json.dumps(made), 0o600)
    try:
        secret: dict[str, str] = json.loads(path.read_text())
        return {user: secret[user] for user in (CONTROL_USER, ADMIN_USER)}
    except (ValueError, KeyError) as error:
        raise errors.Invalid(why=f"{path} is damaged: {error}") from None


def _private(path: pathlib.Path, text: str) -> None:
    """A file for the node's user alone."""
    _write(path, text, 0o600)
    _give(path)


def _public(path: pathlib.Path, text: str) -> None:
    _write(path, text, 0o644)


def _write(path: pathlib.Path, text: str, mode: int) -> None:
    half = path.with_name(f".{path.name}.new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as f:
        f.write(text)
    half.rename(path)


def _give(path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam(USER)
        os.chown(path, owner.pw_uid, owner.pw_gid)


# -- its processes


def _processes(layout: Layout, name: str) -> list[int]:
    """Those of this node: they have its file's name in their environment."""
    # The file itself goes when the node begins to stop, not when it has.
    mark = f"RABBITMQ_PID_FILE={_pid_file(layout)}".encode()
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text().strip() == name:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append(int(process.name))
    return found


def _end(layout: Layout, name: str, within: float) -> None:
    deadline = time.monotonic() + within
    asked: set[int] = set()
    while running := _processes(layout, name):
        late = time.monotonic() > deadline
        for pid in running:
            if late or pid not in asked:
                asked.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(0.1)

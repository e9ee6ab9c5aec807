# SPDX-License-Identifier: Apache-2.0
"""Identity: a real Keystone on SQLite, its projects, users and catalogue.

Keystone lives in a virtual environment of its own: it pins other versions of what this
package uses, and in production it is somebody else's.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import subprocess
import time
import typing

import requests
import yaml

from trove import errors
from trove.localcloud import layers, layout, programs, store

REGION = "RegionOne"
ADMIN = "admin"
SERVICE = "service"


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password, a project, and roles in it."""

    name: str
    project: str
    roles: tuple[str, ...]


USERS = (
    # no administrator: it asks if tokens are good, and has its own project's things
    User("trove", SERVICE, ("service", "member")),
    User("demo", "demo", ("member",)),
    User("reader", "demo", ("reader",)),
    User("other", "other", ("member",)),
)
CLOUDS = ("demo", "other", "reader", ADMIN)
"""The clouds of clouds.yaml: what a person uses; never the service's own user."""

CONF = """\
[DEFAULT]
log_dir = {home}/log
public_endpoint = {url}
[database]
connection = sqlite:///{home}/keystone.sqlite
[token]
provider = fernet
expiration = 14400
[fernet_tokens]
key_repository = {home}/fernet
[credential]
key_repository = {home}/credential
[identity]
# The passwords are 190 random bits: nobody guesses them, however quick a guess is, and
# at Keystone's default every login would take a quarter of a second of the processor.
password_hash_rounds = 4
[cache]
enabled = true
backend = oslo_cache.dict
[oslo_policy]
policy_file = policy.yaml
"""
# Keystone reads sys.argv when it is loaded, and would find the web server's own there.
LOADER = """\
import sys
sys.argv = ["keystone-wsgi-public", "--config-file", "{home}/keystone.conf"]
from keystone.wsgi.api import application
"""
APPLICATION = "trove_keystone"
# keystone-manage, several commands for one import of Keystone, which takes longer than
# all of them, and then Keystone itself, to be filled. A fork for each command: its
# options are of the process.
MANAGER = """\
import json, os, sys
from wsgiref import simple_server
from keystone.cmd import manage
said = json.load(sys.stdin)
for words in said["commands"]:
    child = os.fork()
    if not child:
        sys.argv = ["keystone-manage", *words]
        sys.exit(manage.main())
    if os.waitpid(child, 0)[1]:
        sys.exit("keystone-manage " + words[2] + " failed")
sys.path.insert(0, said["folder"])
application = __import__(said["application"]).application
class Quiet(simple_server.WSGIRequestHandler):
    def log_message(self, *words):
        pass
server = simple_server.make_server(
    "127.0.0.1", said["port"], application, handler_class=Quiet
)
server.serve_forever()
"""


def url(place: layout.Layout) -> str:
    """Where Keystone answers."""
    return f"http://127.0.0.1:{place.keystone_port}"


def passwords(place: layout.Layout) -> dict[str, str]:
    """Each user's password; made at first, kept in a file that only root reads."""
    file = place.etc / "passwords.json"
    known: dict[str, str] = {}
    if file.exists():
        known = json.loads(file.read_text())
    names = [ADMIN, *(user.name for user in USERS)]
    if any(name not in known for name in names):
        known = {name: store.random_word(32) for name in names} | known
        write(file, json.dumps(known, indent=1) + "\n")
    return known


def services(place: layout.Layout) -> dict[str, tuple[str, str]]:
    """The catalogue: each service's name and address, by its type."""
    cloud = f"http://127.0.0.1:{place.cloud_port}"
    objects = f"http://{place.host_address}:{place.object_port}"
    api = f"http://127.0.0.1:{place.api_port}"
    return {
        "compute": ("nova", f"{cloud}/compute/v2.1"),
        "block-storage": ("cinder", f"{cloud}/volume/v3/%(project_id)s"),
        "network": ("neutron", f"{cloud}/network"),
        "image": ("glance", f"{cloud}/image"),
        "key-manager": ("barbican", f"{cloud}/key-manager"),
        "object-store": ("swift", f"{objects}/v1/AUTH_%(project_id)s"),
        "database": ("trove", f"{api}/v1.0/%(project_id)s"),
    }


def write(file: pathlib.Path, text: str) -> None:
    """A whole file that only its owner reads, in one step."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(file)


def write_clouds(place: layout.Layout) -> None:
    """clouds.yaml, as every OpenStack client reads it."""
    known = passwords(place)
    projects = {user.name: user.project for user in USERS} | {ADMIN: ADMIN}
    clouds = {
        name: {
            "auth": {
                "auth_url": f"{url(place)}/v3",
                "username": name,
                "password": known[name],
                "project_name": projects[name],
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "region_name": REGION,
            "identity_api_version": "3",
        }
        for name in CLOUDS
    }
    write(place.clouds_yaml, yaml.safe_dump({"clouds": clouds}, sort_keys=False))


def environment() -> dict[str, str]:
    """What Keystone's programs are run with."""
    kept = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
    return {**kept, "PATH": programs.PATH, "PYTHONWARNINGS": "ignore"}


def command(
    place: layout.Layout, venv: pathlib.Path
) -> tuple[list[str], dict[str, str]]:
    """How a supervisor runs Keystone: the arguments, and the environment."""
    argv = [
        str(venv / "bin/gunicorn"),
        "--workers=1",
        "--threads=8",
        f"--bind=127.0.0.1:{place.keystone_port}",
        f"--chdir={place.keystone}",
        f"--pythonpath={place.keystone}",
        "--no-control-socket",
        "--worker-tmp-dir=/dev/shm",
        "--timeout=120",
        f"{APPLICATION}:application",
    ]
    return argv, environment()


def prepare(
    place: layout.Layout,
    venv: pathlib.Path,
    progress: typing.Callable[[str], None] = lambda text: None,
) -> None:
    """Keystone is set up, with everybody in it; a second time takes no time."""
    known = passwords(place)
    write_clouds(place)
    mark = place.keystone / "prepared"
    wanted = layers.digest(repr((USERS, services(place), sorted(known.items()), 2)))
    if mark.exists() and mark.read_text() == wanted:
        return
    if _answers(place):
        # Else that one would be filled, or would refuse ours its password.
        raise errors.Upstream(why=f"something answers at {url(place)} already")
    progress("keystone: database, keys, projects, users, catalogue")
    commands = _commands(place)
    with _managed(place, venv, commands, known[ADMIN]) as running:
        _fill(place, known, running)
    mark.write_text(wanted)


def _commands(place: layout.Layout) -> list[list[str]]:
    """What keystone-manage is told, after Keystone's directories are there."""
    home = place.keystone
    for name in ("", "log", "fernet", "credential"):
        (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    write(home / "keystone.conf", CONF.format(home=home, url=url(place)))
    write(home / f"{APPLICATION}.py", LOADER.format(home=home))
    me = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    commands = [["db_sync"]]
    commands += [
        [f"{keys}_setup", *me]
        for keys in ("fernet", "credential")
        if not (home / keys / "0").exists()
    ]
    words = ["--bootstrap-username", ADMIN, "--bootstrap-project-name", ADMIN]
    words += ["--bootstrap-role-name", ADMIN, "--bootstrap-region-id", REGION]
    words += ["--bootstrap-service-name", "keystone"]
    for interface in ("public", "internal", "admin"):
        words += [f"--bootstrap-{interface}-url", f"{url(place)}/v3"]
    commands.append(["bootstrap", *words])
    config = ["--config-file", str(home / "keystone.conf")]
    return [[*config, *words] for words in commands]


@contextlib.contextmanager
def _managed(
    place: layout.Layout,
    venv: pathlib.Path,
    commands: list[list[str]],
    password: str,
) -> "typing.Iterator[subprocess.Popen[str]]":
    """A Keystone that was set up by these commands, and answers meanwhile.

    The password by the environment: an argument is read by everybody here.
    """
    said = {
        "commands": commands,
        "folder": str(place.keystone),
        "application": APPLICATION,
        "port": place.keystone_port,
    }
    with (place.keystone / "log" / "prepare.log").open("w") as log:
        try:
            running = subprocess.Popen(
                # its last word is for those who look for what is ours
                [str(venv / "bin/python"), "-c", MANAGER, str(place.keystone)],
                env=environment() | {"OS_BOOTSTRAP_PASSWORD": password},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
            )
        except FileNotFoundError:
            raise errors.Upstream(why=f"there is no Keystone in {venv}") from None
        try:
            _tell(running, json.dumps(said))
            yield running
        finally:
            running.kill()  # what it committed is on the disk
            running.wait()


def _tell(running: "subprocess.Popen[str]", text: str) -> None:
    assert running.stdin is not None  # noqa: S101 - a pipe was asked for
    with contextlib.suppress(BrokenPipeError), running.stdin:
        running.stdin.write(text)


# -- contents, by Keystone's own API ---------------------------------------------------


class _Admin:
    """Keystone's administrator, over HTTP."""

    def __init__(self, place: layout.Layout, password: str) -> None:
        self._url = f"{url(place)}/v3"
        self._session = requests.Session()
        # A proxy of the environment has no business on loopback.
        self._session.trust_env = False
        who = {"name": ADMIN, "domain": {"id": "default"}}
        identity = {
            "methods": ["password"],
            "password": {"user": {**who, "password": password}},
        }
        scope = {"project": who}
        body = {"auth": {"identity": identity, "scope": scope}}
        said = self._session.post(f"{self._url}/auth/tokens", json=body, timeout=60)
        said.raise_for_status()
        token = said.headers["X-Subject-Token"]
        self._session.headers["X-Auth-Token"] = token

    def call(self, verb: str, path: str, body: object = None) -> typing.Any:
        said = self._session.request(verb, self._url + path, json=body, timeout=60)
        if said.status_code >= 400:
            raise errors.Upstream(why=f"Keystone: {verb} {path}: {said.text[:300]}")
        return said.json() if said.content else None

    def have(self, kind: str, name: str, **values: object) -> dict[str, typing.Any]:
        """The thing of that name, made if there is none, with these values."""
        plural = f"{kind}s"
        found = self.call("GET", f"/{plural}?name={name}")[plural]
        body = {kind: {"name": name, **values}}
        if found:
            path = f"/{plural}/{found[0]['id']}"
            made: dict[str, typing.Any] = self.call("PATCH", path, body)[kind]
            return made
        made = self.call("POST", f"/{plural}", body)[kind]
        return made


def _fill(
    place: layout.Layout, known: dict[str, str], running: "subprocess.Popen[str]"
) -> None:
    _wait(place, running)
    admin = _Admin(place, known[ADMIN])
    roles = {role["name"]: role["id"] for role in admin.call("GET", "/roles")["roles"]}
    for user in USERS:
        project = admin.have("project", user.project, domain_id="default")["id"]
        person = admin.have(
            "user",
            user.name,
            password=known[user.name],
            default_project_id=project,
            domain_id="default",
        )["id"]
        held = f"/projects/{project}/users/{person}/roles"
        for role in user.roles:
            if role not in roles:
                roles[role] = admin.have("role", role)["id"]
            admin.call("PUT", f"{held}/{roles[role]}")
        for role in admin.call("GET", held)["roles"]:
            if role["name"] not in user.roles:  # an earlier release gave it
                admin.call("DELETE", f"{held}/{role['id']}")
    _catalogue(place, admin)


def _catalogue(place: layout.Layout, admin: _Admin) -> None:
    for type, (name, address) in services(place).items():
        service = admin.have("service", name, type=type)["id"]
        had = admin.call("GET", f"/endpoints?service_id={service}")["endpoints"]
        ids = {endpoint["interface"]: endpoint["id"] for endpoint in had}
        for interface in ("public", "internal", "admin"):
            endpoint = {
                "service_id": service,
                "interface": interface,
                "region_id": REGION,
                "url": address,
            }
            if interface in ids:
                path = f"/endpoints/{ids[interface]}"
                admin.call("PATCH", path, {"endpoint": endpoint})
            else:
                admin.call("POST", "/endpoints", {"endpoint": endpoint})


def _answers(place: layout.Layout) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(f"{url(place)}/v3", timeout=10).ok
        except requests.RequestException:
            return False


def _wait(
    place: layout.Layout, running: "subprocess.Popen[str]", within: float = 90
) -> None:
    end = time.monotonic() + within
    while time.monotonic() < end and running.poll() is None:
        if _answers(place):
            return
        time.sleep(0.2)
    log = place.keystone / "log"
    raise errors.Upstream(why=f"Keystone does not start; see {log}")

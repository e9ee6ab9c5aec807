# SPDX-License-Identifier: Apache-2.0
"""trove-manage key, ca and map: keys and files of the deployment, and of this source
tree."""

import os
import pathlib
import typing

from cryptography import fernet

from trove import errors
from trove.cmd import backupstorage
from trove.db.keybook import KeyBook
from trove.rpc import signing
from trove.service import certificates
from trove.storage.keys import Keyring

Nouns = typing.Any


def add_to(nouns: Nouns) -> None:
    """Adds these commands to the command line."""
    key = nouns.add_parser("key", help="the keys that seal secrets in the database")
    verbs = key.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser(
        "create",
        help="add a new key on top of the file, made when there is none; old keys "
        "still open what they sealed",
    )
    command.add_argument("path", type=pathlib.Path, help="[database] seal_keys")
    command.add_argument(
        "--keep", action="store_true", help="do nothing when the file has a key"
    )
    command.set_defaults(do=create_key)
    command = verbs.add_parser(
        "create-signing",
        help="make the key that signs commands to guests; one that is there is kept: "
        "guests that know it obey no other",
    )
    command.add_argument("path", type=pathlib.Path, help="[taskmanager] signing_key")
    command.set_defaults(do=create_signing_key)
    _add_backup_keys(verbs)

    authority = nouns.add_parser("ca", help="the deployment's certificate authority")
    verbs = authority.add_subparsers(dest="verb", metavar="VERB", required=True)
    command = verbs.add_parser("create", help="make it; one that is there is kept")
    command.add_argument("directory", type=pathlib.Path)
    command.set_defaults(do=create_authority)

    command = nouns.add_parser("map", help="the files of a noun, such as 'instances'")
    command.add_argument("name", metavar="NOUN")
    command.set_defaults(do=show_map)


def _add_backup_keys(verbs: typing.Any) -> None:
    command = verbs.add_parser(
        "create-backup",
        help="add a new key on top of the keyring of backups, made when there is none; "
        "old keys still open what they wrapped",
    )
    command.add_argument("path", type=pathlib.Path, help="[backup] keyring")
    command.add_argument(
        "--keep", action="store_true", help="do nothing when the file has a key"
    )
    command.set_defaults(do=create_backup_key)

    command = verbs.add_parser(
        "rotate-backup",
        help="have the key manager make a new key for what is backed up from now on; "
        "old keys still open what they wrapped",
    )
    command.add_argument(
        "project",
        nargs="?",
        help="whose; without it, of each project that has one",
    )
    command.set_defaults(do=rotate_backup_keys)


def create_key(manage: typing.Any) -> None:
    """trove-manage key create"""
    _put_on_top(
        manage,
        lambda old: fernet.Fernet.generate_key().decode("ascii"),
        "Services that run must be restarted to use it.",
    )


def create_backup_key(manage: typing.Any) -> None:
    """trove-manage key create-backup"""
    _put_on_top(
        manage,
        lambda old: Keyring.line({line.partition(":")[0] for line in old}),
        "Keep a copy of the file elsewhere: without it no backup can be restored. "
        "Taskmanagers that run must be restarted to use it.",
    )


def rotate_backup_keys(manage: typing.Any) -> None:
    """trove-manage key rotate-backup"""
    if manage.conf.backup.key_manager == "keyring":
        raise errors.Unsupported(
            "The keys of backups are in a keyring ([backup] key_manager): 'key "
            "create-backup' adds one."
        )
    database = manage.database()
    keys = backupstorage.managed(manage.conf, database)
    known, asked = KeyBook(database).projects(), manage.asked.project
    if asked is not None and asked not in known:
        raise errors.NotFound(what="A key of backups of project", id=asked)
    rows = [
        {"project": project, "key": keys.rotate(project)}
        for project in known
        if asked in (None, project)
    ]
    manage.out.rows(rows, ("project", "key"))


def _put_on_top(
    manage: typing.Any, make: typing.Callable[[list[str]], str], advice: str
) -> None:
    """A new key before those that the file has."""
    path: pathlib.Path = manage.asked.path
    old = path.read_text(encoding="ascii").split() if path.exists() else []
    if old and manage.asked.keep:
        manage.out.say(f"{path} holds a key already.", path=str(path), made=False)
        return
    _replace(path, [make(old), *old])
    manage.out.say(f"A new key is in {path}. {advice}", path=str(path), made=True)


def create_signing_key(manage: typing.Any) -> None:
    """trove-manage key create-signing"""
    path: pathlib.Path = manage.asked.path
    if made := not path.exists():
        _replace(path, [signing.new_key()])
    public = signing.Signer.load(path).public
    how = "holds the new key" if made else "holds a key already"
    manage.out.say(
        f"{path} {how}; guests will know it as {public}.",
        path=str(path),
        made=made,
        public=public,
    )


def _replace(path: pathlib.Path, keys: list[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # whole or not at all, and never readable by others, not for a moment
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(new, flags, 0o600), "w", encoding="ascii") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        owner = path.stat()
        os.chown(new, owner.st_uid, owner.st_gid)
    new.replace(path)


def create_authority(manage: typing.Any) -> None:
    """trove-manage ca create"""
    directory: pathlib.Path = manage.asked.directory
    certificates.Authority.create(directory)
    certificate = directory / certificates.CERTIFICATE
    manage.out.say(
        f"The certificate to trust is {certificate}.", certificate=str(certificate)
    )


def show_map(manage: typing.Any) -> None:
    """trove-manage map: a noun has the same file name everywhere."""
    package = pathlib.Path(__file__).resolve().parents[1]
    noun = manage.asked.name.lower()
    words = {noun, noun.removesuffix("s"), f"{noun}s"}
    found = sorted(
        path
        for root in (package, package.parent / "tests")
        for path in root.rglob("*.py")
        if words & {path.stem.removeprefix("test_"), *path.stem.split("_")}
        or words & set(path.relative_to(root).parts[:-1])
    )
    if not found:
        raise errors.NotFound(what="Noun", id=noun)
    rows = [
        {"file": str(path.relative_to(package.parent)), "what": _first_sentence(path)}
        for path in found
        if path.name != "__init__.py"
    ]
    manage.out.rows(rows, ("file", "what"))


def _first_sentence(path: pathlib.Path) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith('"""'):
            return line.strip('"').split(". ")[0]
    return ""

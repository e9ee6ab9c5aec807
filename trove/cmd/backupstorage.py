# SPDX-License-Identifier: Apache-2.0
"""The store of backups, and their keys, as the options say."""

import functools
import pathlib
import typing

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from trove.cloud.openstack.session import Access
    from trove.db.session import Database
    from trove.storage.backups import BackupStorage
    from trove.storage.keys import Keyring
    from trove.storage.managed import ManagedKeys


def opened(conf: "cfg.ConfigOpts", database: "Database") -> "BackupStorage | None":
    """None where backups are not set up. Nothing is asked yet: a store, or Keystone,
    may be away when a process starts."""
    from trove.storage.backups import BackupStorage

    driver = conf.backup.driver
    if not driver:
        return None
    return BackupStorage(driver, keys(conf, database), _arguments(conf, driver))


def keys(conf: "cfg.ConfigOpts", database: "Database") -> "Keyring | ManagedKeys":
    """What wraps and signs. What cannot be used is ``errors.Internal``; no key manager
    is asked yet."""
    from trove.storage.keys import Keyring

    if conf.backup.key_manager == "keyring":
        return Keyring.read(conf.backup.keyring)
    return managed(conf, database)


def managed(conf: "cfg.ConfigOpts", database: "Database") -> "ManagedKeys":
    """Those of the key manager; a keyring that is there opens what it wrapped."""
    from trove.cloud.openstack.keymanager import KeyManager
    from trove.db.keybook import KeyBook
    from trove.storage.keys import Keyring
    from trove.storage.managed import ManagedKeys

    ring = pathlib.Path(conf.backup.keyring)
    manager, book = KeyManager(_access(conf), conf), KeyBook(database)
    older = Keyring.read(ring) if ring.exists() else None
    return ManagedKeys(manager, book, conf.cloud.deployment, older)


def _arguments(
    conf: "cfg.ConfigOpts", driver: str
) -> typing.Callable[[str], dict[str, typing.Any]]:
    from trove.config import backup

    if driver == "swift":
        return _swift(conf)
    if driver == "s3":
        return lambda container: backup.of_s3(conf)
    if driver == "directory":
        return lambda container: {"path": conf.backup.directory}
    return lambda container: {"container": container}


def _swift(conf: "cfg.ConfigOpts") -> typing.Callable[[str], dict[str, typing.Any]]:
    """A container of each backup's own, in the account of the service's project."""
    access = _access(conf)
    endpoint = functools.cache(lambda: access.endpoint("object-store"))

    def arguments(container: str) -> dict[str, typing.Any]:
        return {
            "endpoint": endpoint(),
            "token": access.service_token,
            "container": container,
            "verify": access.settings.verify,
            "guests": conf.backup.guests_endpoint,
        }

    return arguments


def _access(conf: "cfg.ConfigOpts") -> "Access":
    """The service's own identity."""
    from trove.cloud.openstack.session import Access, Settings
    from trove.config import cloud

    said = cloud.arguments(conf)
    return Access(Settings(**{k: v for k, v in said.items() if k != "name"}))

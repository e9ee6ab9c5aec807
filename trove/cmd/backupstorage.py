# SPDX-License-Identifier: Apache-2.0
"""The store of backups, as the options say: for whoever works on backups."""

import functools
import typing

if typing.TYPE_CHECKING:
    from oslo_config import cfg

    from trove.storage.backups import BackupStorage


def opened(conf: "cfg.ConfigOpts") -> "BackupStorage | None":
    """None where backups are not set up. Nothing is asked yet: a store, or Keystone,
    may be away when a process starts."""
    from trove.storage.backups import BackupStorage
    from trove.storage.keys import Keyring

    driver = conf.backup.driver
    if not driver:
        return None
    keys = Keyring.read(conf.backup.keyring)
    return BackupStorage(driver, keys, _arguments(conf, driver))


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
    from trove.cloud.openstack.session import Access, Settings
    from trove.config import cloud

    said = cloud.arguments(conf)
    access = Access(Settings(**{k: v for k, v in said.items() if k != "name"}))
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

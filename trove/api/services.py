# SPDX-License-Identifier: Apache-2.0
"""Services, under the name the API's callers know it by, and how options become one."""

from oslo_config import cfg

from trove.actions.services import Services, Settings
from trove.config import backup, quota
from trove.storage.vault import authorities

__all__ = ["Services", "Settings", "settings"]

PAGES = (
    "instances",
    "databases",
    "users",
    "backups",
    "configurations",
    "clusters",
    "modules",
)


def settings(conf: cfg.ConfigOpts) -> Settings:
    """What the options of the API and of quotas say."""
    group = conf.api
    return Settings(
        public_endpoint=group.public_endpoint,
        region=group.region,
        public_network=conf.cloud.public_network,
        default_datastore=group.default_datastore,
        max_volume_size=group.max_volume_size,
        flavor_cache=float(group.flavor_cache),
        heartbeat_expiry=float(group.heartbeat_expiry),
        page_sizes={name: group[f"{name}_page_size"] for name in PAGES},
        quotas=quota.defaults(conf),
        exposed_logs=frozenset(group.exposed_logs),
        module_types=frozenset(group.module_types),
        backup_driver=conf.backup.driver or None,
        snapshots=conf.backup.snapshots,
        backup_container=conf.backup.container,
        schedule_by_default=conf.backup.schedule_by_default,
        final_by_default=conf.backup.final_by_default,
        recycle_days=conf.recycle.days,
        recycle_by_default=conf.recycle.by_default,
        verify_by_default=conf.backup.verify_by_default,
        interface=group.object_store_interface,
        guests_object_store=group.guests_object_store,
        key_manager_interface=group.key_manager_interface,
        verify=False if conf.cloud.insecure else conf.cloud.cafile or True,
        store_authorities=authorities.told(*backup.authorities(conf)),
    )

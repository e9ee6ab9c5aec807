# SPDX-License-Identifier: Apache-2.0
"""The options of backups: where they are kept, and with which keys."""

import typing

from oslo_config import cfg

GROUP = cfg.OptGroup("backup", title="Where backups are kept, and with which keys")

OPTS = [
    cfg.StrOpt(
        "driver",
        help="Which kind of store: 'swift' (in the account of the service's own "
        "project), 's3', 'directory', or the name of an entry point in the group "
        "trove.vaults. Without it backups are refused.",
    ),
    cfg.StrOpt(
        "container",
        default="database_backups",
        regex=r"^[A-Za-z0-9_\-][A-Za-z0-9._\-]{0,199}$",
        help="What the place of a backup is called, unless its user says otherwise.",
    ),
    cfg.StrOpt(
        "key_manager",
        default="keyring",
        choices=[
            ("keyring", "The file that 'keyring' names."),
            (
                "barbican",
                "A key of each project's own in Barbican, in the project of [cloud] "
                "and as its user; needs the extra 'barbican' of this package. A "
                "keyring that is there still opens what it wrapped.",
            ),
        ],
        help="What keeps the keys that wrap those of backups, and sign.",
    ),
    cfg.StrOpt(
        "keyring",
        default="/etc/trove/backup-keys",
        help="File with the keys of backups ('trove-manage key create-backup'), "
        "readable by the taskmanagers alone and the same for all of them. Whoever "
        "loses it has no backups: keep a copy elsewhere.",
    ),
    cfg.StrOpt(
        "guests_endpoint",
        default="",
        help="Scheme, host and port at which guests reach the store, where these are "
        "not those of the control plane. [taskmanager] object_stores lets them.",
    ),
    cfg.StrOpt(
        "directory",
        help="Of the driver 'directory': a path that the taskmanagers and the guests "
        "both have. For tests: what guests write there is not protected from them.",
    ),
    cfg.StrOpt("s3_endpoint", help="Of the driver 's3': its address, as a URL."),
    cfg.StrOpt("s3_region", default="us-east-1", help="Its region."),
    cfg.StrOpt("s3_bucket", help="The bucket; it is made where there is none."),
    cfg.StrOpt("s3_access_key", help="Who we are there."),
    cfg.StrOpt("s3_secret_key", secret=True, help="The secret of that key."),
    cfg.BoolOpt(
        "s3_path_style",
        default=True,
        help="Whether the bucket is a part of the path, not of the host's name.",
    ),
    cfg.StrOpt(
        "cafile",
        help="CA certificates that an S3 store may have, as the control plane sees it.",
    ),
    cfg.StrOpt(
        "guests_cafile",
        help="CA certificates that a store may have as guests see it, beside those "
        "that their image trusts; 32 KiB at the most. For backups, archives, exports, "
        "imports and published logs. Without it those of 'cafile' and of [cloud] "
        "cafile, each if it is no larger.",
    ),
    cfg.IntOpt(
        "rate",
        default=64,
        min=0,
        help="MiB of its data that a guest reads in a second for a backup, at the "
        "most: the database has the rest of what its disk can do. 0: no bound.",
    ),
    cfg.BoolOpt(
        "snapshots",
        default=True,
        help="Whether users may have a backup be a snapshot of the data's volume, in "
        "Cinder (storage_driver 'cinder'). It needs no store, and is on what the "
        "volume is on.",
    ),
    cfg.IntOpt(
        "freeze",
        default=30,
        min=5,
        max=300,
        help="Seconds for which a data volume is held still for such a snapshot, at "
        "the most: the database writes nothing meanwhile. The guest thaws it by "
        "itself then, and the backup has failed.",
    ),
    cfg.BoolOpt(
        "schedule_by_default",
        default=True,
        help="Whether a new instance is backed up by itself (each day in full, every "
        "six hours in increments where its datastore has them, kept for seven days, "
        "with its transaction log where that restores to a point in time), unless its "
        "user says otherwise. These backups count in his project's quota: "
        "some 36 of an instance with increments, 9 of one without.",
    ),
    cfg.BoolOpt(
        "final_by_default",
        default=True,
        help="Whether an instance is backed up before it is deleted, unless the user "
        "who deletes says otherwise (?final_backup=false). The backup counts in his "
        "project's quota and stays until he deletes it.",
    ),
    cfg.IntOpt(
        "schedule_interval",
        default=60,
        min=5,
        max=3600,
        help="Seconds between two looks of a taskmanager for backups that are due.",
    ),
    cfg.IntOpt(
        "verify_by_default",
        default=0,
        min=-1,
        max=168,
        help="How many backups of an instance and a week are restored on a server that "
        "is thrown away, to see that they can be, unless its user says otherwise; -1: "
        "every one. Each costs a server like the instance's own for as long as a "
        "restore takes.",
    ),
    cfg.IntOpt(
        "verify_at_once",
        default=1,
        min=1,
        max=1000,
        help="How many backups are verified at the same time; the others wait.",
    ),
    cfg.IntOpt(
        "rows_within",
        default=3600,
        min=1,
        max=36000,
        help="Seconds in which a guest hashes the rows of its tables, where a backup "
        "is to have hashes; what was not read by then has none. A verification may "
        "take as long to read them again.",
    ),
    cfg.IntOpt(
        "ship_interval",
        default=30,
        min=5,
        max=45,
        help="Seconds between two pieces of its transaction log that a guest brings. "
        "Each costs it a process for a moment and the store an object. With "
        "'archive_interval' it bounds what can be lost with a server.",
    ),
    cfg.IntOpt(
        "archive_interval",
        default=10,
        min=1,
        max=60,
        help="Seconds between two looks of a taskmanager for transaction logs that "
        "guests have brought. What can be restored is older by so much.",
    ),
    cfg.IntOpt(
        "retention_interval",
        default=3600,
        min=60,
        max=86400,
        help="Seconds between two looks for scheduled backups that are kept no longer.",
    ),
]


def authorities(conf: cfg.ConfigOpts) -> tuple[str | None, ...]:
    """What ``storage.vault.authorities.told`` takes; ``[cloud]`` is registered too."""
    return conf.backup.guests_cafile, conf.backup.cafile, conf.cloud.cafile


def of_s3(conf: cfg.ConfigOpts) -> dict[str, typing.Any]:
    """What ``storage.vault.s3.S3`` takes."""
    group = conf.backup
    return {
        "endpoint": group.s3_endpoint,
        "region": group.s3_region,
        "access_key": group.s3_access_key,
        "secret_key": group.s3_secret_key,
        "bucket": group.s3_bucket,
        "path_style": group.s3_path_style,
        "verify": group.cafile or True,
        "guests": group.guests_endpoint,
    }

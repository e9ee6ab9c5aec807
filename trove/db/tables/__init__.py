# SPDX-License-Identifier: Apache-2.0
"""The tables: every column, once."""

from trove.db.tables.archives import Archive, ArchiveSegment
from trove.db.tables.backups import (
    Backup,
    BackupKey,
    BackupPolicy,
    BackupStrategy,
)
from trove.db.tables.certificates import BroughtCertificate
from trove.db.tables.configurations import Configuration, Parameter
from trove.db.tables.datastores import Datastore, DatastoreVersion
from trove.db.tables.deeds import ClientToken, Deed
from trove.db.tables.instances import Guest, GuestReport, Instance
from trove.db.tables.modules import InstanceModule, Module
from trove.db.tables.operations import (
    CloudThing,
    Event,
    GuestJob,
    Operation,
    OperationStep,
)
from trove.db.tables.quotas import Quota, Usage
from trove.db.tables.record import Record
from trove.db.tables.recycled import RecycledInstance
from trove.db.tables.root import RootDeed
from trove.db.tables.services import ServiceProcess

__all__ = [
    "Archive",
    "ArchiveSegment",
    "Backup",
    "BackupKey",
    "BackupPolicy",
    "BackupStrategy",
    "BroughtCertificate",
    "ClientToken",
    "CloudThing",
    "Configuration",
    "Datastore",
    "DatastoreVersion",
    "Deed",
    "Event",
    "Guest",
    "GuestJob",
    "GuestReport",
    "Instance",
    "InstanceModule",
    "Module",
    "Operation",
    "OperationStep",
    "Parameter",
    "Quota",
    "Record",
    "RecycledInstance",
    "RootDeed",
    "ServiceProcess",
    "Usage",
]

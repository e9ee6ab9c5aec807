# SPDX-License-Identifier: Apache-2.0
"""FLOWS: every kind of operation, and how it is carried out."""

from trove.flows import (
    backup_delete,
    backup_verify,
    instance_access,
    instance_backup,
    instance_configure,
    instance_create,
    instance_delete,
    instance_discard,
    instance_export,
    instance_import,
    instance_migrate,
    instance_modules,
    instance_reboot,
    instance_rebuild,
    instance_reclaim,
    instance_resize_flavor,
    instance_resize_offline,
    instance_resize_volume,
    instance_restart,
    instance_ssl,
    instance_stop,
    instance_undelete,
    module_reapply,
)
from trove.workflow.flow import Flow

FLOWS: dict[str, Flow] = {
    flow.kind: flow
    for flow in (
        instance_create.FLOW,
        instance_configure.FLOW,
        instance_access.FLOW,
        instance_ssl.FLOW,
        instance_migrate.FLOW,
        instance_modules.FLOW,
        instance_rebuild.UPGRADE,
        instance_rebuild.REBUILD,
        module_reapply.FLOW,
        instance_restart.FLOW,
        instance_reboot.FLOW,
        instance_stop.FLOW,
        instance_discard.FLOW,
        instance_backup.FLOW,
        backup_delete.FLOW,
        backup_verify.FLOW,
        instance_export.FLOW,
        instance_import.FLOW,
        instance_resize_flavor.FLOW,
        instance_resize_volume.FLOW,
        instance_resize_offline.FLOW,
        instance_delete.FLOW,
        instance_undelete.FLOW,
        instance_reclaim.FLOW,
    )
}

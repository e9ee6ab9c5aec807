# SPDX-License-Identifier: Apache-2.0
"""The first tables.

Revision: 0001, after nothing
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every table as it was first."""
    _datastores()
    _instances()
    _guests()
    _operations()
    _ledger()
    _events()
    _quotas()
    _services()


def downgrade() -> None:
    """To an empty database."""
    for table in (
        "service_processes",
        "quota_usages",
        "quotas",
        "events",
        "guest_jobs",
        "cloud_things",
        "operation_steps",
        "operations",
        "guest_reports",
        "guests",
        "instances",
        "datastore_versions",
        "datastores",
    ):
        op.drop_table(table)


def _table(name: str, *parts: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    op.create_table(
        name,
        *parts,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def _text(name: str, length: int, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), nullable=null)


def _long(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=True)


def _number(name: str, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null, autoincrement=False)


def _big(name: str, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _moment(name: str, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=null)


def _fact(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _document(name: str, null: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=null)


def _datastores() -> None:
    _table(
        "datastores",
        _text("id", 36),
        _text("name", 255),
        _text("default_version_id", 36, null=True),
        _moment("created"),
        _moment("updated"),
        sa.UniqueConstraint("name", name="uq_datastores_name"),
        key=("id",),
    )
    _table(
        "datastore_versions",
        _text("id", 36),
        _text("datastore_id", 36),
        _text("name", 255),
        _text("number", 255),
        _text("manager", 255),
        _text("image_id", 64, null=True),
        _document("image_tags", null=False),
        _document("packages", null=False),
        _text("registry_ext", 255, null=True),
        _text("repl_strategy", 255, null=True),
        _fact("active"),
        _moment("created"),
        _moment("updated"),
        sa.UniqueConstraint(
            "datastore_id", "name", "number", name="uq_datastore_versions_name"
        ),
        key=("id",),
    )


def _instances() -> None:
    _table(
        "instances",
        _text("id", 36),
        _text("project", 255),
        _text("name", 255),
        _text("task", 32),
        _text("version_id", 36),
        _text("flavor_id", 255),
        _number("volume_size", null=True),
        _text("volume_type", 255, null=True),
        _text("region", 255, null=True),
        _text("availability_zone", 255, null=True),
        _document("nic"),
        _document("access"),
        _document("addresses"),
        _text("hostname", 255, null=True),
        _text("server_id", 64, null=True),
        _text("volume_id", 64, null=True),
        _text("configuration_id", 36, null=True),
        _text("source_id", 36, null=True),
        _text("locality", 32, null=True),
        _fact("restart_required"),
        _fact("was_active"),
        _number("ram"),
        _big("server_number"),
        _long("fault"),
        _moment("fault_at", null=True),
        _long("fault_details"),
        _moment("created"),
        _moment("updated"),
        _moment("deleted_at", null=True),
        key=("id",),
    )
    _index(
        "ix_instances_project_deleted_id", "instances", "project", "deleted_at", "id"
    )
    _index("ix_instances_source", "instances", "source_id")
    _index("ix_instances_version", "instances", "version_id")
    _index("ix_instances_deleted_updated", "instances", "deleted_at", "updated")


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns))


def _guests() -> None:
    _table(
        "guests",
        _text("instance_id", 36),
        _text("public_key", 64, null=True),
        _text("password_hash", 128, null=True),
        _moment("enrolled_at", null=True),
        _text("certificate_serial", 64, null=True),
        _moment("certificate_expires", null=True),
        key=("instance_id",),
    )
    _table(
        "guest_reports",
        _text("instance_id", 36),
        _big("boot"),
        _big("seq"),
        _moment("received_at"),
        _moment("changed_at"),
        _text("service", 32),
        _long("why"),
        _text("role", 32, null=True),
        _long("position"),
        _text("version", 64, null=True),
        _text("agent", 64, null=True),
        _big("disk_used", null=True),
        _big("disk_total", null=True),
        _big("rss", null=True),
        key=("instance_id",),
    )


def _operations() -> None:
    _table(
        "operations",
        _text("id", 36),
        _text("project", 255),
        _text("object_type", 32),
        _text("object_id", 36),
        _text("kind", 64),
        _number("version"),
        # sealed: unreadable here, and up to 16 MiB
        sa.Column(
            "input",
            sa.Text().with_variant(sa.dialects.mysql.MEDIUMTEXT(), "mysql", "mariadb"),
            nullable=True,
        ),
        _text("request_id", 64, null=True),
        _text("client_token", 255, null=True),
        _text("body_hash", 64, null=True),
        _text("lock_key", 96, null=True),
        _text("after", 36, null=True),
        _text("state", 32),
        _fact("cancel"),
        _moment("due"),
        _moment("deadline"),
        _fact("pivot_passed"),
        _text("owner", 128, null=True),
        _moment("lease_until", null=True),
        _number("fence"),
        _number("attempts"),
        _long("fault"),
        _moment("created"),
        _moment("updated"),
        sa.UniqueConstraint("project", "client_token", name="uq_operations_token"),
        sa.UniqueConstraint("lock_key", name="uq_operations_lock"),
        key=("id",),
    )
    _index("ix_operations_state_due", "operations", "state", "due")
    _index("ix_operations_object", "operations", "object_type", "object_id")
    _index("ix_operations_after", "operations", "after")
    _table(
        "operation_steps",
        _text("operation_id", 36),
        _text("name", 64),
        _number("seq"),
        _text("state", 32),
        _moment("begun_at"),
        _number("attempt"),
        _document("output"),
        _long("fault"),
        key=("operation_id", "name"),
    )


def _ledger() -> None:
    _table(
        "cloud_things",
        _text("key", 64),
        _text("kind", 32),
        _text("region", 255, null=True),
        _text("external_id", 128, null=True),
        _text("owner", 36),
        _text("operation_id", 36),
        _fact("data_bearing"),
        _text("state", 32),
        _moment("posted_at", null=True),
        _moment("created"),
        _moment("updated"),
        key=("key",),
    )
    _index("ix_cloud_things_owner", "cloud_things", "owner")
    _table(
        "guest_jobs",
        _text("id", 128),
        _text("instance_id", 36),
        _text("method", 64),
        _text("state", 32),
        _number("progress"),
        _document("result"),
        _long("fault"),
        _moment("sent_at", null=True),
        _moment("deadline", null=True),
        _moment("updated"),
        key=("id",),
    )
    _index("ix_guest_jobs_instance", "guest_jobs", "instance_id")


def _events() -> None:
    _table(
        "events",
        _text("object_id", 36),
        _number("seq"),
        _text("kind", 64),
        _document("payload"),
        _text("request_id", 64, null=True),
        _moment("at"),
        _fact("sent"),
        key=("object_id", "seq"),
    )
    _index("ix_events_sent", "events", "sent")


def _quotas() -> None:
    _table(
        "quotas",
        _text("project", 255),
        _text("resource", 32),
        _number("hard_limit"),
        key=("project", "resource"),
    )
    _table(
        "quota_usages",
        _text("project", 255),
        _text("resource", 32),
        _number("used"),
        _number("reserved"),
        key=("project", "resource"),
    )


def _services() -> None:
    _table(
        "service_processes",
        _text("id", 128),
        _text("kind", 32),
        _text("host", 255),
        _moment("started"),
        _moment("seen"),
        key=("id",),
    )

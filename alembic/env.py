# SPDX-License-Identifier: Apache-2.0
"""Where alembic begins: on the connection that ``trove/db/migrate.py`` hands over."""

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Run migrations with 'trove-manage db sync', not with alembic.")

context.configure(
    connection=connection,
    # SQLite is told BEGIN by us, so there too a migration is all or nothing
    transactional_ddl=connection.dialect.name in ("sqlite", "postgresql"),
    # SQLite changes a column by copying its table
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()

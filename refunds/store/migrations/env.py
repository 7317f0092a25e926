"""Alembic's environment: runs on the connection that `schema.upgrade` hands over, in its transaction."""

from alembic import context

from refunds.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()

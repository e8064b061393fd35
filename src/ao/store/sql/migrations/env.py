"""Alembic's entry: runs migrations on the connection that `ao.store.sql.migrate` passes."""

from alembic import context

from ao.store.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()

"""Entry point of Alembic: runs the migrations on the connection of the service."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()

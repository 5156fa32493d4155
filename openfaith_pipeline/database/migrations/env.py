"""Run by Alembic for each command; the connection comes from `openfaith_pipeline.database.migration`."""

from alembic import context

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    version_table_schema="sync",
    # A later migration may move rows, and its failure must not leave them half moved.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

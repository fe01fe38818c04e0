"""Run by Alembic: migrates on the connection that `ledger.setup` opened, inside its transaction."""

from alembic import context

from automl.ledger.layout import VERSION_TABLE
from automl.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

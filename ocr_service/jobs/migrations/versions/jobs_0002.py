"""The key of signed addresses, made once for all replicas."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table with its only row."""
    table = op.create_table("link_key", sa.Column("value", sa.String(64), nullable=False))
    op.bulk_insert(table, [{"value": secrets.token_hex(32)}])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("link_key")

"""The table of jobs.

A later migration only adds: replicas of two versions run beside each other during an update.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("face", sa.String(32), nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("pages", sa.Text, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("batch", sa.Text),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("expires", sa.Double),
        sa.Column("due", sa.Double, nullable=False),
        sa.Column("done", sa.Text, nullable=False),
        sa.Column("failed", sa.Text, nullable=False),
        sa.Column("done_count", sa.Integer, nullable=False),
        sa.Column("final", sa.Integer, nullable=False),
        sa.Column("token", sa.String(32)),
        sa.Column("lease", sa.Double),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("engine", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("stored", sa.Text),
        sa.Column("callback_url", sa.Text),
        sa.Column("callback_due", sa.Double),
        sa.Column("callback_tries", sa.Integer, nullable=False),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "due"])
    op.create_index("jobs_by_owner", "jobs", ["owner", "created"])
    op.create_index("jobs_by_batch", "jobs", ["owner", "batch"])
    op.create_index("jobs_by_key", "jobs", ["owner", "idempotency_key"], unique=True)
    op.create_index("jobs_by_callback", "jobs", ["callback_due"])
    op.create_index("jobs_by_expiry", "jobs", ["expires"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("jobs")

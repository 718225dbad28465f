"""An index with all that the place of a job in the queue needs."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Replace the index of states."""
    op.create_index("jobs_by_place", "jobs", ["state", "created", "total", "done_count"])
    op.drop_index("jobs_by_state", "jobs")


def downgrade() -> None:
    """Bring the former index back."""
    op.create_index("jobs_by_state", "jobs", ["state", "due"])
    op.drop_index("jobs_by_place", "jobs")

"""Errors of the command.

BulkError
├── CannotRun        ends the run: no other document would fare better
├── Away             temporary: the service does not answer, or has no room
├── JobGone          the job was deleted, by another run that has stored its result
├── NameNotUsable    of one document: no result can have its name; the run goes on
└── DocumentFailed   of one document; the run goes on
"""


class BulkError(Exception):
    """Base of the tree."""


class CannotRun(BulkError):
    """The message names the cause, which the user can mend."""


class Away(BulkError):
    """retry_after: seconds, or 0. is_busy: the service answers, so it is worth waiting for."""

    def __init__(self, detail: str, retry_after: float = 0.0, is_busy: bool = False) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.is_busy = is_busy


class JobGone(BulkError):
    """The service does not know the job, or not its files. code: of the error, as the service names it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NameNotUsable(BulkError):
    """The message says why."""


class DocumentFailed(BulkError):
    """code, detail: of the error, as the service names it. job: id of the job, if there was one."""

    def __init__(self, code: str, detail: str, job: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.job = job

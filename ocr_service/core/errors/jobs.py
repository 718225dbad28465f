"""Errors of jobs: documents that are accepted now and read later."""

from ocr_service.core.errors.base import OcrError


class JobError(OcrError):
    """A job cannot be accepted, found or answered."""


class JobNotFound(JobError):
    status = 404
    code = "job_not_found"
    title = "There is no such job"


class PageNotInJob(JobError):
    status = 404
    code = "page_not_in_job"
    title = "The job has no such page"


class JobNotDone(JobError):
    status = 409
    code = "job_not_done"
    title = "The job is not done"


class IdempotencyKeyReused(JobError):
    status = 422
    code = "idempotency_key_reused"
    title = "The idempotency key belongs to another request"


class TooManyJobs(JobError):
    status = 429
    code = "too_many_jobs"
    title = "The caller has too many jobs"
    retry_after = 60


class JobsUnavailable(JobError):
    status = 503
    code = "jobs_unavailable"
    title = "Jobs are not available"
    retry_after = 10


class JobsFull(JobsUnavailable):
    status = 507
    code = "jobs_full"
    title = "The storage of the jobs is full"


class JobsNotConfigured(JobError):
    status = 503
    code = "jobs_not_configured"
    title = "The service has no jobs"


class PagesTooLarge(JobError):
    status = 422
    code = "pages_too_large"
    title = "The pages of the job are too large for the memory"


class JobLost(JobError):
    code = "job_lost"
    title = "The job could not be finished"


class JobCancelled(JobError):
    status = 409
    code = "job_cancelled"
    title = "The job was cancelled"


class InvalidLink(JobError):
    status = 403
    code = "invalid_link"
    title = "The address is not valid, or no longer valid"

"""The errors of boto3 as errors of the storage: a refusal, which an operator must mend, or an outage."""

import re
from collections.abc import Mapping
from typing import Any

from ocr_service.core.errors import StorageError, StorageOutage, StorageRefusal

# Errors with status 4xx or 501 that are temporary.
_TEMPORARY = {"BadDigest", "IncompleteBody", "OperationAborted", "RequestTimeout", "SlowDown"}
_TEMPORARY_STATUS = {408, 425, 429}
_NOT_IMPLEMENTED = 501

# Error codes for problems that an operator must fix.
_REFUSALS = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "the access key is unknown",
    "SignatureDoesNotMatch": "the secret key does not match the access key",
    "AccessDenied": "the access key lacks the permission",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
}
# Error codes that match are quoted in messages.
_SAFE_CODE = re.compile(r"[A-Za-z]{1,64}|\d{3}")


def bucket_error(error: Exception, bucket: str) -> StorageError:
    """Convert an error of boto3; its text is not quoted, because it may contain secrets.

    bucket: its name, for the message.
    """
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _error_of_response(error.response, bucket)
    if isinstance(error, boto.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StorageRefusal("The certificate of the object storage cannot be verified.")
    if isinstance(error, boto.ConnectTimeoutError | boto.ReadTimeoutError):
        return StorageOutage("The object storage did not answer in time.")
    if isinstance(error, boto.EndpointConnectionError | boto.ProxyConnectionError):
        return StorageOutage("The object storage cannot be reached.")
    if isinstance(error, boto.HTTPClientError | boto.IncompleteReadError | boto.ResponseStreamingError):
        return StorageOutage("The connection to the object storage broke off.")
    # The remaining errors come from invalid settings, such as a malformed endpoint or bucket name.
    return StorageRefusal(f"The settings of the object storage are invalid ({type(error).__name__}).")


def _error_of_response(response: Mapping[str, Any], bucket: str) -> StorageError:
    """Convert an error response; its message is not quoted, because it may contain the access key."""
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = str(response.get("Error", {}).get("Code", ""))
    shown = f"{code}, {status}" if _SAFE_CODE.fullmatch(code) and code != str(status) else str(status)
    refused = status < 500 or status == _NOT_IMPLEMENTED
    if refused and code not in _TEMPORARY and status not in _TEMPORARY_STATUS:
        reason = _REFUSALS.get(code, "the request is not accepted")
        return StorageRefusal(f"The object storage refuses bucket {bucket}: {reason} ({shown}).")
    return StorageOutage(f"The object storage answered with an error ({shown}).")

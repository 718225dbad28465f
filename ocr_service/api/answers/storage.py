"""The stored files in answers."""

from pydantic import Field

from ocr_service.api.answers.model import EXAMPLE_ID, Answer
from ocr_service.core.storage import StorageKind
from ocr_service.storage.bundles import StorageOutcome, StorageStatus, StoredFile

_EXAMPLE_FOLDER = f"ocr/2026/03/15/{EXAMPLE_ID}/"
_EXAMPLE_FILE = {
    "key": f"{_EXAMPLE_FOLDER}result.json",
    "content_type": "application/json; charset=utf-8",
    "size": 5312,
    "url": f"https://s3.cloud.ru/scans/{_EXAMPLE_FOLDER}result.json?X-Amz-Algorithm=AWS4-HMAC-SHA256&…",
}
EXAMPLE_STORAGE = {
    "status": "stored",
    "kind": "s3",
    "bucket": "scans",
    "folder": _EXAMPLE_FOLDER,
    "files": [_EXAMPLE_FILE],
    "error": None,
}


class FileAnswer(Answer):
    """A stored file."""

    key: str = Field(
        description="Key in the bucket, or path below `OCR_OUTPUT_DIR`.",
        examples=[_EXAMPLE_FILE["key"]],
    )
    content_type: str = Field(description="Media type of the file.", examples=[_EXAMPLE_FILE["content_type"]])
    size: int = Field(description="Size in bytes.", examples=[_EXAMPLE_FILE["size"]])
    url: str | None = Field(
        description="Presigned URL for a download, valid for a limited time; null if the file is not in a "
        "bucket yet, or if there is no bucket.",
        examples=[_EXAMPLE_FILE["url"]],
    )

    @classmethod
    def of(cls, file: StoredFile) -> "FileAnswer":
        return cls(key=file.key, content_type=file.content_type, size=file.size, url=file.url)


class StorageAnswer(Answer):
    """The stored files of a document."""

    status: StorageStatus = Field(
        description="`stored`; `pending` while the files wait in the spool, because the storage is not "
        "available; `failed`; or `disabled` if there is no storage or with `store=false`.",
        examples=[StorageStatus.STORED],
    )
    kind: StorageKind | None = Field(
        description="Type of the storage: `s3`, or `local` for a folder of the service.",
        examples=["s3"],
    )
    bucket: str | None = Field(
        description="Name of the bucket, or null if there is none.", examples=["scans"]
    )
    folder: str | None = Field(
        description="Common prefix of the keys of all files.", examples=[_EXAMPLE_FOLDER]
    )
    files: list[FileAnswer] = Field(description="The files, stored or pending.", examples=[[_EXAMPLE_FILE]])
    error: str | None = Field(description="Reason if the files are not stored, else null.", examples=[None])

    @classmethod
    def of(cls, stored: StorageOutcome) -> "StorageAnswer":
        return cls(
            status=stored.status,
            kind=stored.kind,
            bucket=stored.bucket,
            folder=stored.folder,
            files=[FileAnswer.of(file) for file in stored.files],
            error=stored.error,
        )

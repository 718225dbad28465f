"""The root of the tree of errors."""

from collections.abc import Iterator
from typing import ClassVar, TypeVar


class OcrError(Exception):
    """Base of the tree. Each class has its HTTP status, its stable code and its title.

    retry_after: seconds after which a retry makes sense; None if unknown.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retry_after: int | None = None

    def __init__(self, detail: str = "", retry_after: int | None = None) -> None:
        super().__init__(detail or self.title)
        if retry_after is not None:
            self.retry_after = retry_after

    @property
    def detail(self) -> str:
        """One or two sentences for the caller."""
        return str(self)

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers of the answer."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


Error = TypeVar("Error", bound=Exception)


def bare(error: Error) -> Error:
    """Return the error without cause and traceback, whose frames would hold the page in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def error_kinds(base: type[OcrError] = OcrError) -> Iterator[type[OcrError]]:
    """Yield the classes of the tree that have their own code; the others only group them."""
    if "code" in vars(base):
        yield base
    for child in base.__subclasses__():
        yield from error_kinds(child)

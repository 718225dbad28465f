"""How far a document has been read; one object for each reading, so that its caller can report it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """How many of the selected pages are done, also those that failed.

    total: 0 before the document is open.
    """

    total: int = 0
    done: int = 0

    def __str__(self) -> str:
        if not self.total:
            return "how many pages were done is not known"
        return f"{self.done} of {self.total} pages were done"

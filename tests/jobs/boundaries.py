"""The boundaries of a job at which a process is killed."""

# Name of a boundary: the object at whose write, or the state at whose commit, it lies; and on which side.
BOUNDARIES = {
    "before the document": ("document", "before"),
    "after the document": ("document", "after"),
    "before the row": ("pending", "before"),
    "after the row": ("pending", "after"),
    "before a page": ("page-2", "before"),
    "after a page": ("page-2", "after"),
    "before the result": ("result.json", "before"),
    "after the result": ("result.json", "after"),
    "before the end": ("done", "before"),
    "after the end": ("done", "after"),
}

"""Ruling lines of a page: the drawn lines that make tables and forms."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """A drawn line, horizontal or vertical.

    at: its place across, in pixels of the page: y if it is horizontal, x if it is vertical.
    start, end: its extent along itself, in pixels of the page.
    """

    at: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rulings:
    """The ruling lines of a page, in pixels of the page; the sides of drawn boxes are lines too."""

    horizontal: tuple[Segment, ...] = ()
    vertical: tuple[Segment, ...] = ()


NO_RULINGS = Rulings()

"""The page for people: plain HTML, CSS and modules of JavaScript, without a build step."""

from pathlib import Path

FOLDER = Path(__file__).parent / "static"

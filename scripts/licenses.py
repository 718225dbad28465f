"""The licences of the Python packages that the service installs; prints the tables of docs/licenses.md.

Usage: python -m scripts.licenses
"""

import functools
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageMetadata, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HERE = Path(__file__).parent
_PROJECT = tomllib.loads((_HERE.parent / "pyproject.toml").read_text())["project"]
# The OpenCV of the extra `tesseract` cannot be installed beside that of PaddleOCR; it requires NumPy alone.
SERVICE: list[str] = [*_PROJECT["dependencies"], "numpy"]
PADDLEOCR: list[str] = _PROJECT["optional-dependencies"]["paddleocr"]

_REVIEW = tomllib.loads((_HERE / "licenses.toml").read_text())
PERMISSIVE = frozenset[str](_REVIEW["permissive"])
PERMISSIVE_LIBRARIES = frozenset[str](_REVIEW["permissive-libraries"])
REVIEWED: dict[str, str] = _REVIEW["reviewed"]
REVIEWED_LIBRARIES: dict[str, str] = _REVIEW["reviewed-libraries"]
_SPDX: dict[str, str] = _REVIEW["spdx"]

# A wheel may add a hash to the name of a library, as in libheif-e72ea93c.so.1.23.6.
_LIBRARY = re.compile(r"lib([A-Za-z].*?)(?:-r0)?(?:-[0-9a-f]{8})*(?:\.\d+)*\.so(?:\.\d+)*")


def installed(requirements: Iterable[str]) -> set[str]:
    """Return the names of these packages and of all that they require on this platform."""
    found: dict[str, set[str]] = defaultdict(set)
    waiting = [Requirement(requirement) for requirement in requirements]
    while waiting:
        requirement = waiting.pop()
        extras = found[canonicalize_name(requirement.name)]
        for extra in {"", *requirement.extras} - extras:
            extras.add(extra)
            waiting += _required(requirement.name, extra)
    return set(found)


def _required(name: str, extra: str) -> Iterator[Requirement]:
    for required in _requirements(name):
        if required.marker is None or required.marker.evaluate({"extra": extra}):
            yield required


@functools.cache
def _requirements(name: str) -> list[Requirement]:
    return [Requirement(text) for text in distribution(name).requires or []]


def license_of(name: str) -> str:
    """Return the licence of a package as an SPDX expression, or in the words of the package."""
    return REVIEWED.get(name) or _declared(distribution(name).metadata)


def _declared(metadata: PackageMetadata) -> str:
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License")]
    texts = [
        *metadata.get_all("License-Expression", []),
        *metadata.get_all("License", []),
        *(text.split(" :: ")[-1] for text in classifiers),
    ]
    # Some packages have the whole licence in the field.
    lines = [text.splitlines()[0] for text in texts if text and not text.startswith(("Copyright", "UNKNOWN"))]
    return _SPDX.get(lines[0], lines[0]) if lines else "unknown"


def is_permissive(expression: str) -> bool:
    """Return whether one alternative of an SPDX expression consists of permissive licences."""
    return any(PERMISSIVE.issuperset(choice.split(" AND ")) for choice in expression.split(" OR "))


def libraries_of(name: str) -> set[str]:
    """Return the names of the native libraries in the wheel of a package, such as `heif`."""
    files = distribution(name).files or []
    return {match[1] for file in files if (match := _LIBRARY.fullmatch(file.name))}


def rows(packages: set[str]) -> list[str]:
    """Return the rows of a table: a licence, and the packages that have it."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(packages):
        groups[license_of(name)].append(name)
    return [f"| {expression} | {', '.join(names)} |" for expression, names in sorted(groups.items())]


if __name__ == "__main__":
    service = installed(SERVICE)
    print(*rows(service), "", *rows(installed(PADDLEOCR) - service), sep="\n")

"""The requirement lists of the image are exported from uv.lock, and name no private package index."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.running import ROOT

PYPI = {"pypi.org", "files.pythonhosted.org"}
LISTS = [ROOT / "requirements.txt", *sorted(ROOT.glob("requirements/*.txt"))]


def test_lists_match_the_lock_and_the_lock_matches_pyproject() -> None:
    done = subprocess.run(
        ["scripts/lock.sh", "--check-lists"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_lock_refers_to_pypi_only() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    registries = {package["source"].get("registry") for package in lock["package"]} - {None}
    assert registries == {"https://pypi.org/simple"}
    assert set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text())) == PYPI


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_list_has_no_index_and_a_hash_for_every_pin(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"://|^-", text, re.MULTILINE)
    pins = [pin for pin in re.split(r"\n(?=[a-z])", text) if "==" in pin]
    assert pins
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []

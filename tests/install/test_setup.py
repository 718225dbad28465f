"""scripts/setup.sh installs the locked packages, also after newer releases and from another mirror."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.install.index import Index, publish
from tests.running import ROOT

UV = ROOT / ".cache/uv/bin/uv"
# `client` depends on `library` with an extra, as fastmcp depends on pydantic[email].
CLIENT = ["Requires-Dist: library[mail]>=1"]
LIBRARY = ["Provides-Extra: mail", "Requires-Dist: mail; extra == 'mail'"]
PROJECT = """
[project]
name = "project"
version = "1"
requires-python = ">=3.11"
[project.optional-dependencies]
tesseract = []
[dependency-groups]
docs = ["client"]
[tool.uv]
package = false
"""


def run(folder: Path, *command: str | Path, index: str) -> str:
    environment = {**os.environ, "UV_CACHE_DIR": str(folder / "uv-cache"), "UV_DEFAULT_INDEX": index}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    publish(folder, "client", "1", CLIENT)
    publish(folder, "library", "1", LIBRARY)
    publish(folder, "mail", "1")
    return folder


@pytest.fixture
def project(tmp_path: Path, packages: Path) -> Path:
    """A project with a lock of the first releases; the index that it was made from is gone."""
    folder = tmp_path / "project"
    for file in ("scripts/setup.sh", "requirements/uv.txt"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    (folder / ".cache").mkdir()
    (folder / ".cache/uv").symlink_to(ROOT / ".cache/uv")
    (folder / "pyproject.toml").write_text(PROJECT)
    with Index(packages) as index:
        run(folder, UV, "lock", index=index.url)
    return folder


def test_setup_from_another_mirror_with_newer_releases_installs_the_locked_versions(
    project: Path, packages: Path
) -> None:
    publish(packages, "library", "2", LIBRARY)
    publish(packages, "client", "2", CLIENT)
    versions = "import client, library, mail; print(client.version, library.version, mail.version)"
    with Index(packages) as mirror:
        run(project, "scripts/setup.sh", "docs", index=mirror.url)
        assert run(project, ".venv/bin/python", "-c", versions, index=mirror.url).split() == ["1", "1", "1"]


def test_second_setup_needs_no_index(project: Path, packages: Path) -> None:
    with Index(packages) as mirror:
        run(project, "scripts/setup.sh", "docs", index=mirror.url)
    run(project, "scripts/setup.sh", "docs", index=mirror.url)


def test_setup_refuses_a_package_with_another_hash(project: Path, packages: Path) -> None:
    publish(packages, "mail", "1", ["Summary: another file under the same name"])
    with Index(packages) as mirror, pytest.raises(AssertionError, match="Hash mismatch"):
        run(project, "scripts/setup.sh", "docs", index=mirror.url)


@pytest.mark.parametrize(
    ("missing", "status", "said"),
    [("fonts-liberation", 0, "going on without these fonts"), ("tesseract-ocr-rus", 1, "run make again")],
)
def test_setup_without_root_goes_on_if_only_fonts_are_missing(
    project: Path, packages: Path, missing: str, status: int, said: str
) -> None:
    programs = {"id": "echo 1000", "dpkg-query": f'[ "$4" = {missing} ] || echo installed'}
    (project / "bin").mkdir()
    for name, script in programs.items():
        (project / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (project / "bin" / name).chmod(0o755)
    with Index(packages) as mirror:
        done = subprocess.run(
            ["scripts/setup.sh", "run"],
            cwd=project,
            env={**os.environ, "PATH": f"{project}/bin:{os.environ['PATH']}", "UV_DEFAULT_INDEX": mirror.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == status, done.stderr
    assert said in done.stderr and f"--no-install-recommends {missing}" in done.stderr

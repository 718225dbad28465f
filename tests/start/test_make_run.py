"""The settings that `make run` gives the service, by the command that it would run."""

import os
import subprocess

import pytest

from tests.running import ROOT


@pytest.mark.parametrize(
    ("settings", "folder"),
    [
        ({}, f"{ROOT}/.cache/run/18090"),
        ({"OCR_OUTPUT_DIR": "/srv/results"}, "/srv/results"),
        ({"OCR_JOBS_DIR": "/srv/my jobs", "OCR_OUTPUT_DIR": "/srv/results"}, "/srv/my jobs"),
        ({"OCR_JOBS_DIR": ""}, ""),
    ],
)
def test_jobs_have_a_folder_for_each_port_unless_another_is_set(
    settings: dict[str, str], folder: str
) -> None:
    commands = run("make", "--dry-run", "run", "PORT=18090")
    served = commands[commands.index("PATH=") :].replace("exec ./start.sh", "printenv OCR_JOBS_DIR")
    assert run("bash", "-c", served, **settings) == f"{folder}\n"


def run(*command: str, **settings: str) -> str:
    # Without the flags of the make that runs the tests.
    ours = ("OCR_", "MAKE", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        command, cwd=ROOT, env={**environment, **settings}, capture_output=True, text=True, check=True
    ).stdout

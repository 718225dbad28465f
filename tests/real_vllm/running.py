"""Runs the real vLLM on a CPU, with the tiny model, by the command of start.sh."""

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

from tests.running import ROOT, START, Vllm, free_port, start_environment

VENV = os.environ.get("REAL_VLLM_VENV")


def real_settings(folder: Path, key: str | None = None, *options: str) -> dict[str, str]:
    """Make the model in a folder, with options of make_model.py; return the variables of start.sh."""
    assert VENV is not None
    model = folder / "model"
    make = [f"{VENV}/bin/python", "-m", "tests.real_vllm.make_model", str(model), *options]
    subprocess.run(make, cwd=ROOT, check=True)
    return {
        "VLLM_VENV": VENV,
        "VLLM_MODEL": str(model),
        "VLLM_SERVER_PORT": str(free_port()),
        "VLLM_EXTRA_ARGS": "--enforce-eager --max-num-seqs 64",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "HOME": str(folder),
        **({} if key is None else {"OCR_VLM_API_KEY": key}),
    }


def engine_of(ancestor: int) -> int:
    """Return the PID of the process with the engine, which is a descendant of this one."""
    command = ["ps", "-eo", "pid=,ppid=,args="]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    processes = [line.split(maxsplit=2) for line in listing.splitlines()]
    parents = {int(pid): int(parent) for pid, parent, _ in processes}
    for pid, _, name in processes:
        above = int(pid)
        while above not in (0, ancestor):
            above = parents.get(above, 0)
        if above and "EngineCore" in name:
            return int(pid)
    raise LookupError("there is no process of the engine")


class RunningRealVllm(Vllm):
    """Runs `start.sh vllm` for the duration of a `with` block.

    folder: an empty folder for the model, and for the files of vLLM. settings: variables of start.sh.
    """

    # After one to three minutes.
    listening = re.compile("(Application startup complete)")

    def __init__(self, folder: Path, key: str | None = None, *options: str) -> None:
        self.settings = real_settings(folder, key, *options)
        super().__init__([*START, "vllm"], **start_environment(**self.settings))

    def _start(self, opened: ExitStack) -> None:
        super()._start(opened)
        self.url = f"http://127.0.0.1:{self.settings['VLLM_SERVER_PORT']}"

"""Runs the real vLLM on a CPU, with the tiny model, by the command of start.sh."""

import os
import subprocess
from pathlib import Path

from tests.running import ROOT, START, RunningProgram, free_port, start_environment

VENV = os.environ.get("REAL_VLLM_VENV")


class RunningRealVllm(RunningProgram):
    """Runs `start.sh vllm` for the duration of a `with` block.

    folder: an empty folder for the model, and for the files of vLLM. settings: variables of start.sh.
    """

    def __init__(self, folder: Path, key: str | None = None, *options: str) -> None:
        assert VENV is not None
        make = [f"{VENV}/bin/python", "-m", "tests.real_vllm.make_model", str(folder / "model"), *options]
        subprocess.run(make, cwd=ROOT, check=True)
        self._port = free_port()
        self.settings = {
            "VLLM_VENV": VENV,
            "VLLM_MODEL": str(folder / "model"),
            "VLLM_SERVER_PORT": str(self._port),
            "VLLM_EXTRA_ARGS": "--enforce-eager --max-num-seqs 64",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
            "HOME": str(folder),
            **({} if key is None else {"OCR_VLM_API_KEY": key}),
        }
        super().__init__([*START, "vllm"], **start_environment(**self.settings))

    def _address(self) -> str:
        """Return the address when vLLM is ready, which takes one to three minutes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            if "Application startup complete" in line:
                return f"http://127.0.0.1:{self._port}"
        raise RuntimeError("it did not start:\n" + "".join(self.log))

    @property
    def api(self) -> str:
        """The URL of its API."""
        return f"{self.url}/v1"

    def engine(self) -> int:
        """Return the PID of the process with the engine."""
        listing = subprocess.run(
            ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        for line in listing.stdout.splitlines():
            pid, parent, name = line.split(maxsplit=2)
            if int(parent) == self.process.pid and "EngineCore" in name:
                return int(pid)
        raise LookupError("there is no process of the engine")

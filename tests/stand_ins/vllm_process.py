"""Stands in for the command that starts vLLM, for tests of its life as a process: exits and signals.

Usage: python -m tests.stand_ins.vllm_process crash | crash-later | deaf | family
"""

import os
import signal
import subprocess
import sys
from typing import NoReturn


def crash() -> NoReturn:
    """Fail like vLLM if its libraries are missing."""
    _say("Traceback (most recent call last):")
    _say("ImportError: torch")
    sys.exit(3)


def crash_later() -> NoReturn:
    """Run until killed."""
    _run()


def deaf() -> NoReturn:
    """Ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _run()


def family() -> NoReturn:
    """Start a child that ignores SIGTERM, an orphan in its own session, and a child that ends soon."""
    ignore = "trap '' TERM; echo child $$; while :; do sleep 1; done"
    subprocess.Popen(["sh", "-c", ignore])
    subprocess.Popen(["sh", "-c", "setsid sh -c 'echo orphan $$; exec sleep 3600' & exit"]).wait()
    subprocess.Popen(["sh", "-c", "sh -c 'echo short-lived $$; sleep 0.2' & exit"]).wait()
    _run()


def _run() -> NoReturn:
    _say(f"running {os.getpid()}")
    while True:
        signal.pause()


def _say(line: str) -> None:
    # Flushed at once, because child processes write to the same pipe.
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    {"crash": crash, "crash-later": crash_later, "deaf": deaf, "family": family}[sys.argv[1]]()

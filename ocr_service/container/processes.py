"""Child processes: spawn, reap and kill."""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Become the parent of orphaned descendants, as PID 1 does, also if this process has another PID."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def spawn(command: list[str], output: int | None = None) -> int:
    """Start a command as the leader of its own process group; return its PID.

    If this process is killed, the command gets SIGTERM. output: file descriptor for its output and errors.
    """
    command = ["setpriv", "--pdeathsig", "TERM", "--", *command]
    redirections = [] if output is None else [(os.POSIX_SPAWN_DUP2, output, fd) for fd in (1, 2)]
    return os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=redirections,
        setsid=True,
        # Python ignores SIGPIPE, and an ignored signal is inherited.
        setsigdef=[signal.SIGPIPE],
    )


def reap() -> Iterator[tuple[int, int]]:
    """Yield the PID, and the exit code or -signal, of each ended child, also of an adopted one."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def kill_children(except_pid: int | None = None) -> bool:
    """Kill all children except one; return whether there were any. Their orphans become children."""
    targets = [pid for pid in _children() if pid != except_pid]
    for pid in targets:
        os.kill(pid, signal.SIGKILL)
    return bool(targets)


def _children() -> list[int]:
    parent = f"PPid:\t{os.getpid()}\n"
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended
            if parent in (folder / "status").read_text():
                found.append(int(folder.name))
    return found


def shell_code(code: int) -> int:
    """Return the exit code that a shell reports for an exit code or -signal."""
    return 128 - code if code < 0 else code


def describe(code: int) -> str:
    """Return the name of the signal, or the exit code, in words."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"

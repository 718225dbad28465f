"""Supervision by start.sh: the service, vLLM, restarts, signals, and the end of all processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ocr_service.container.supervisor import restart_delay
from ocr_service.runtime.signals import RESTART_VLLM
from tests.running import ROOT, START, RunningProgram, RunningStart, start_environment
from tests.start.test_launchers import refused

NO_GPU_HERE = not any(Path("/dev").glob("nvidia[0-9]*"))
FIRST_LINES = "Starting FastAPI handler on port 0\\.\\.\\..*\n(.*\n)*.*Uvicorn running on http://127.0.0.1:"


def stand_in(behaviour: str, **settings: str) -> dict[str, str]:
    """Return settings that replace the command for vLLM with a stand-in."""
    command = f"python -m tests.stand_ins.vllm_process {behaviour}"
    return {"VLLM_ENABLED": "true", "VLLM_COMMAND": command, **settings}


def wait_until(holds: Callable[[], bool]) -> None:
    """Poll until the condition holds, as there is no event for the state of other processes."""
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children_of(pid: int) -> str:
    """Return the command names of the child processes, one a line."""
    return subprocess.run(["ps", "-o", "comm=", "--ppid", str(pid)], capture_output=True, text=True).stdout


def address_of(start: RunningStart) -> tuple[str, int]:
    host, port = start.url.removeprefix("http://").split(":")
    return host, int(port)


def exists(pid: str) -> bool:
    """Whether a process has not ended; its parent, which may be the first process here, may not know that."""
    try:
        state = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not NO_GPU_HERE, reason="a GPU is visible here")
def test_start_without_a_gpu_logs_one_line_and_serves() -> None:
    with RunningStart(OCR_API_KEYS="some-key") as start:
        answer = start.get("/health")
    assert answer.status_code == 200 and answer.json()["engine"] == "tesseract"
    assert "server" not in answer.headers
    assert start.exit_code == 0
    start.wait_for(FIRST_LINES)
    records = [json.loads(line) for line in start.log if "vLLM is not started" in line]
    assert [(line["level"], line["message"]) for line in records] == [
        ("INFO", "vLLM is not started: no GPU is visible")
    ]
    assert not [line for line in start.log if "WARNING" in line]


def test_start_without_keys_logs_one_line_about_access() -> None:
    with RunningStart(VLLM_ENABLED="true", VLLM_VENV="/nowhere") as start:
        assert start.get("/health").status_code == 200
    records = [json.loads(line) for line in start.log if "OCR_API_KEYS is not set" in line]
    assert [line["level"] for line in records] == ["INFO"]


def test_invalid_service_setting_stops_vllm_as_well() -> None:
    assert "OCR_ENGINE" in refused(**stand_in("crash-later"), OCR_ENGINE="best")


def test_vllm_crash_loop_restarts_with_growing_pauses() -> None:
    with RunningStart(**stand_in("crash")) as start:
        for pause in ("1", "2", "4"):
            start.wait_for(rf"vLLM exited after \d+ s with exit code 3; restart in {pause} s")
        record = json.loads(start.wait_for(r"\{.*exited after.*\}")[0])
        assert re.search(r"^Traceback .*\nImportError: torch$", record["last_lines"], re.MULTILINE)
        assert start.get("/health").json()["status"] == "healthy"
    assert start.exit_code == 0


def test_vllm_start_failure_does_not_end_the_service() -> None:
    # The limit of open files leaves no descriptor for a pipe.
    command = "ulimit -n 6; exec python3 -m ocr_service.container.supervisor 1 sleep 600 -- true"
    with subprocess.Popen(["bash", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stderr
        again = next(line for line in supervisor.stderr if "restart in 2 s" in line)
        assert "Too many open files" in again
        supervisor.terminate()
        supervisor.stderr.read()
    assert supervisor.returncode == 0


@pytest.mark.parametrize(
    ("last", "ran_for", "pause"), [(None, 0, 1), (1, 0, 2), (32, 599, 60), (60, 0, 60), (60, 600, 1)]
)
def test_restart_delay_doubles_up_to_a_minute_and_resets_after_a_long_run(
    last: float | None, ran_for: float, pause: float
) -> None:
    assert restart_delay(last, ran_for) == pause


def test_broken_stdout_pipe_does_not_end_the_service() -> None:
    talk = "while :; do echo something; sleep 0.01; done"
    environment = {**os.environ, **start_environment(VLLM_ENABLED="true", VLLM_COMMAND=f"sh -c '{talk}'")}
    with subprocess.Popen(
        START, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as start:
        assert start.stdout and start.stderr
        start.stdout.readline()
        start.stdout.close()
        address = next(line for line in start.stderr if "Uvicorn running" in line)
        assert httpx.get(re.findall(r"http://\S+", address)[0] + "/health", timeout=120).status_code == 200
        start.terminate()
        start.stderr.read()
    assert start.returncode == 0


def test_closed_stdout_does_not_block_vllm() -> None:
    overfill_the_pipe = "head -c 200000 /dev/zero; exec sleep 600"
    command = ["bash", "-c", "exec ./start.sh >&-"]
    with RunningProgram(
        command, **start_environment(VLLM_ENABLED="true", VLLM_COMMAND=overfill_the_pipe)
    ) as start:
        wait_until(lambda: "sleep" in children_of(start.process.pid))


def test_vllm_exit_during_draining_is_not_followed_by_a_restart() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
        with socket.create_connection(address_of(start)) as unfinished:
            unfinished.sendall(b"POST /ocr HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n")
            unfinished.sendall(b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
            # This later request is answered, so the service has accepted the earlier one.
            start.get("/version").raise_for_status()
            start.process.terminate()
            start.wait_for("the service finishes its requests")
            os.kill(int(pid), signal.SIGKILL)
            start.wait_for("vLLM exited with SIGKILL")
        assert start.process.wait(120) == 0
    assert "; restart in" not in "".join(start.log)


def test_sighup_stops_gracefully_unless_ignored_at_the_start() -> None:
    with RunningStart() as start:
        start.process.send_signal(signal.SIGHUP)
        assert start.process.wait(120) == 0
    with RunningProgram(["nohup", *START], **start_environment()) as start:
        start.process.send_signal(signal.SIGHUP)
        assert start.get("/health").status_code == 200


def test_killed_supervisor_ends_service_and_vllm() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        left = [start.wait_for(rf"{prefix}(\d+)")[1] for prefix in ("running ", r"Started server process \[")]
        start.kill()
        wait_until(lambda: not any(exists(pid) for pid in left))


def test_vllm_that_hangs_is_killed_and_restarted_if_the_service_asks_for_it() -> None:
    with RunningStart(**stand_in("deaf", VLLM_HANG_TIMEOUT="7")) as start:
        first = start.wait_for(r"running (\d+)")[1]
        service = start.wait_for(r"Started server process \[(\d+)\]")[1]
        variables = Path("/proc", service, "environ").read_text().split("\0")
        assert f"OCR_VLM_SUPERVISOR={start.process.pid}" in variables
        assert "OCR_VLM_RESTART_TIMEOUT=7" in variables
        start.process.send_signal(RESTART_VLLM)
        start.wait_for(r"vLLM hangs, and is killed(.*\n)*.*exited after \d+ s with SIGKILL; restart in 1 s")
        start.wait_for(rf"running (?!{first}\b)\d+")
        assert start.get("/health").status_code == 200


def test_restart_is_requested_only_from_the_parent() -> None:
    received = []
    previous = signal.signal(RESTART_VLLM, lambda number, _: received.append(number))
    code = "from ocr_service.runtime.signals import request_restart; request_restart({})"
    try:
        for pid in (os.getppid(), os.getpid()):
            subprocess.run([sys.executable, "-c", code.format(pid)], cwd=ROOT, check=True)
    finally:
        signal.signal(RESTART_VLLM, previous)
    assert received == [RESTART_VLLM]


def test_crashed_vllm_is_restarted_after_the_end_of_its_processes() -> None:
    with RunningStart(**stand_in("family", VLLM_STOP_TIMEOUT="0.5")) as start:
        first = start.wait_for(r"running (\d+)")[1]
        left = [start.wait_for(rf"{name} (\d+)")[1] for name in ("child", "orphan")]
        os.kill(int(first), signal.SIGKILL)
        start.wait_for(r"vLLM exited after \d+ s with SIGKILL; restart in 1 s")
        start.wait_for(rf"running (?!{first}\b)\d+")
        assert not any(exists(pid) for pid in left)
        assert start.get("/health").status_code == 200
    assert start.exit_code == 0


def test_vllm_that_ignores_sigterm_is_killed_after_the_service_ends() -> None:
    with RunningStart(**stand_in("deaf", VLLM_STOP_TIMEOUT="0.5")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
    assert start.exit_code == 0
    assert not exists(pid)
    start.wait_for(r"Finished server process(.*\n)*.*vLLM did not stop within 0.5 s and is killed")


def test_stop_leaves_no_process_of_vllm() -> None:
    with RunningStart(**stand_in("family", VLLM_STOP_TIMEOUT="0.5")) as start:
        start.wait_for(r"running \d+")
        family = [start.wait_for(rf"{name} (\d+)")[1] for name in ("child", "orphan", "short-lived")]
        child, orphan, short_lived = family
        assert exists(child) and exists(orphan)
        # The supervisor adopts the orphan and must reap it, so no zombie is left.
        wait_until(lambda: not Path("/proc", short_lived).exists())
    assert not any(exists(pid) for pid in family)


def test_second_signal_kills_at_once() -> None:
    with RunningStart(**stand_in("deaf", VLLM_STOP_TIMEOUT="600")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
        # The service cannot exit before the second signal.
        os.kill(int(start.wait_for(r"Started server process \[(\d+)\]")[1]), signal.SIGSTOP)
        start.process.send_signal(signal.SIGINT)
        start.wait_for("the service finishes its requests")
        start.process.send_signal(signal.SIGTERM)
        assert start.process.wait(120) == 128 + signal.SIGTERM
    assert not exists(pid)


def test_service_exit_ends_the_container_with_its_exit_code() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
        service = start.wait_for(r"Started server process \[(\d+)\]")[1]
        os.kill(int(service), signal.SIGKILL)
        assert start.process.wait(120) == 128 + signal.SIGKILL
    assert not exists(pid)


def test_vllm_environment_has_no_secret_except_its_key() -> None:
    secrets = {"CLOUDRU_S3_SECRET_KEY": "placeholder", "OCR_VLM_API_KEY": "placeholder"}
    with RunningStart(VLLM_ENABLED="true", VLLM_COMMAND="sh -c 'env; exec sleep 60'", **secrets) as start:
        start.wait_for("PATH=")
        start.wait_for("VLLM_API_KEY=placeholder")
    forbidden = ("CLOUDRU_", "OCR_", "VLLM_ENABLED", "VLLM_COMMAND")
    assert not any(line.startswith(forbidden) for line in start.log)

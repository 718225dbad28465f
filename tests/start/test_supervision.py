"""start.sh as a container runs it: the service always, vLLM beside it, signals, and nothing left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ocr_service.container.supervisor import restart_delay
from tests.running import ROOT, START, RunningProgram, RunningStart, start_environment
from tests.start.test_launchers import refused

NO_GPU_HERE = not any(Path("/dev").glob("nvidia[0-9]*"))
FIRST_LINES = "Starting FastAPI handler on port 0\\.\\.\\..*\n(.*\n)*.*Uvicorn running on http://127.0.0.1:"


def stand_in(behaviour: str, **settings: str) -> dict[str, str]:
    """Settings that put a stand-in in the place of the command that starts vLLM."""
    command = f"python -m tests.stand_ins.vllm_process {behaviour}"
    return {"VLLM_ENABLED": "true", "VLLM_COMMAND": command, **settings}


def until(holds: Callable[[], bool]) -> None:
    """Ask again until it holds; what other processes do makes no sound here."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def children_of(pid: int) -> str:
    """Return the commands of a process's children and theirs, one a line."""
    return subprocess.run(["ps", "-o", "comm=", "--ppid", str(pid)], capture_output=True, text=True).stdout


def address_of(start: RunningStart) -> tuple[str, int]:
    host, port = start.url.removeprefix("http://").split(":")
    return host, int(port)


def is_there(pid: str) -> bool:
    return Path("/proc", pid).exists()


@pytest.mark.skipif(not NO_GPU_HERE, reason="a GPU is visible here")
def test_without_a_gpu_one_line_says_so_and_the_service_runs() -> None:
    with RunningStart(OCR_API_KEYS="some-key") as start:
        answer = httpx.get(f"{start.url}/health")
    assert answer.status_code == 200 and answer.json()["engine"] == "tesseract"
    assert "server" not in answer.headers
    assert start.exit_code == 0
    start.wait_for(FIRST_LINES)
    told = [json.loads(line) for line in start.log if "vLLM is not started" in line]
    assert [(line["level"], line["message"]) for line in told] == [
        ("INFO", "vLLM is not started: no GPU is visible")
    ]
    assert not [line for line in start.log if "WARNING" in line]


def test_without_keys_one_line_says_who_may_use_it() -> None:
    with RunningStart(VLLM_ENABLED="false") as start:
        pass
    told = [json.loads(line) for line in start.log if "OCR_API_KEYS is not set" in line]
    assert [line["level"] for line in told] == ["INFO"]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"VLLM_ENABLED": "false"}, "VLLM_ENABLED=false"),
        ({"OCR_ENGINE": "tesseract"}, "OCR_ENGINE=tesseract does not use it"),
        ({"OCR_VLM_URL": "http://127.0.0.1:9/v1"}, "OCR_VLM_URL names an existing server"),
        ({"VLLM_ENABLED": "true", "VLLM_VENV": "/nowhere"}, "it is not installed in /nowhere"),
    ],
    ids=str,
)
def test_vllm_is_not_started_and_a_line_says_why(environment: dict[str, str], reason: str) -> None:
    with RunningStart(**environment) as start:
        assert httpx.get(f"{start.url}/health").status_code == 200
    warning = next(line for line in start.log if "vLLM is not started" in line)
    assert warning.endswith(f': {reason}"}}\n')


def test_wrong_setting_of_the_service_stops_vllm_as_well() -> None:
    assert "OCR_ENGINE" in refused(**stand_in("crash-later"), OCR_ENGINE="best")


def test_vllm_that_crashes_at_once_is_started_again_and_again() -> None:
    with RunningStart(**stand_in("crash")) as start:
        for pause in ("1", "2", "4"):
            start.wait_for(rf"vLLM exited after \d+ s with exit code 3; restart in {pause} s")
        told = json.loads(start.wait_for(r"\{.*exited after.*\}")[0])
        assert re.search(r"^Traceback .*\nImportError: torch$", told["last_lines"], re.MULTILINE)
        assert httpx.get(f"{start.url}/health").json()["status"] == "healthy"
    assert start.exit_code == 0


def test_vllm_that_cannot_even_be_started_does_not_end_the_service() -> None:
    # Room for what the supervisor has open, and none for a pipe.
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
def test_pauses_grow_to_a_minute_and_begin_anew_after_a_long_run(
    last: float | None, ran_for: float, pause: float
) -> None:
    assert restart_delay(last, ran_for) == pause


def test_reader_of_the_output_that_has_gone_does_not_end_the_service() -> None:
    talk = "while :; do echo something; sleep 0.01; done"
    environment = {**os.environ, **start_environment(VLLM_ENABLED="true", VLLM_COMMAND=f"sh -c '{talk}'")}
    with subprocess.Popen(
        START, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as start:
        assert start.stdout and start.stderr
        start.stdout.readline()
        start.stdout.close()
        address = next(line for line in start.stderr if "Uvicorn running" in line)
        assert httpx.get(re.findall(r"http://\S+", address)[0] + "/health").status_code == 200
        start.terminate()
        start.stderr.read()
    assert start.returncode == 0


def test_closed_output_does_not_hold_vllm_up() -> None:
    more_than_a_pipe_holds = "head -c 200000 /dev/zero; exec sleep 600"
    command = ["bash", "-c", "exec ./start.sh >&-"]
    with RunningProgram(
        command, **start_environment(VLLM_ENABLED="true", VLLM_COMMAND=more_than_a_pipe_holds)
    ) as start:
        until(lambda: "sleep" in children_of(start.process.pid))


def test_vllm_that_ends_while_the_service_finishes_is_not_started_again() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
        with socket.create_connection(address_of(start)) as unfinished:
            unfinished.sendall(b"POST /ocr HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n")
            unfinished.sendall(b"Content-Type: multipart/form-data; boundary=b\r\n\r\n")
            start.process.terminate()
            start.wait_for("the service finishes its requests")
            os.kill(int(pid), signal.SIGKILL)
            start.wait_for("vLLM exited with SIGKILL")
        assert start.process.wait(60) == 0
    assert "; restart in" not in "".join(start.log)


def test_hangup_ends_it_in_order_unless_it_was_ignored_from_the_start() -> None:
    with RunningStart() as start:
        start.process.send_signal(signal.SIGHUP)
        assert start.process.wait(30) == 0
    with RunningProgram(["nohup", *START], **start_environment()) as start:
        start.process.send_signal(signal.SIGHUP)
        assert httpx.get(f"{start.url}/health").status_code == 200


def test_killed_supervisor_takes_both_with_it() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        left = [start.wait_for(rf"{what}(\d+)")[1] for what in ("running ", r"Started server process \[")]
        start.kill()
        until(lambda: not any(is_there(pid) for pid in left))


def test_vllm_that_crashes_later_is_started_again() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        first = start.wait_for(r"running (\d+)")[1]
        os.kill(int(first), signal.SIGKILL)
        start.wait_for(r"vLLM exited after \d+ s with SIGKILL; restart in 1 s")
        start.wait_for(rf"running (?!{first}\b)\d+")
        assert httpx.get(f"{start.url}/health").status_code == 200
    assert start.exit_code == 0


def test_what_a_crashed_vllm_left_behind_is_gone_before_the_next_one_starts() -> None:
    with RunningStart(**stand_in("family")) as start:
        first = start.wait_for(r"running (\d+)")[1]
        left = [start.wait_for(rf"{name} (\d+)")[1] for name in ("child", "orphan")]
        os.kill(int(first), signal.SIGKILL)
        start.wait_for(rf"running (?!{first}\b)\d+")
        assert not any(is_there(pid) for pid in left)


def test_vllm_that_ignores_sigterm_is_killed_after_the_service_has_ended() -> None:
    with RunningStart(**stand_in("deaf", VLLM_STOP_TIMEOUT="0.5")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
    assert start.exit_code == 0
    assert not is_there(pid)
    start.wait_for(r"Finished server process(.*\n)*.*vLLM did not stop within 0.5 s and is killed")


def test_nothing_that_vllm_started_is_left() -> None:
    with RunningStart(**stand_in("family", VLLM_STOP_TIMEOUT="0.5")) as start:
        start.wait_for(r"running \d+")
        family = [start.wait_for(rf"{name} (\d+)")[1] for name in ("child", "orphan", "short-lived")]
        child, orphan, short_lived = family
        assert is_there(child) and is_there(orphan)
        # No zombie either: whoever adopts an orphan has to take leave of it.
        until(lambda: not is_there(short_lived))
    assert not any(is_there(pid) for pid in family)


def test_second_signal_ends_at_once() -> None:
    with RunningStart(**stand_in("deaf", VLLM_STOP_TIMEOUT="600")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
        start.process.send_signal(signal.SIGINT)
        start.wait_for("Finished server process")
        start.process.send_signal(signal.SIGTERM)
        assert start.process.wait(10) == 128 + signal.SIGTERM
    assert not is_there(pid)


def test_end_of_the_service_ends_the_container_with_its_code() -> None:
    with RunningStart(**stand_in("crash-later")) as start:
        pid = start.wait_for(r"running (\d+)")[1]
        service = start.wait_for(r"Started server process \[(\d+)\]")[1]
        os.kill(int(service), signal.SIGKILL)
        assert start.process.wait(30) == 128 + signal.SIGKILL
    assert not is_there(pid)


def test_vllm_is_told_no_secret_but_its_key() -> None:
    secrets = {"CLOUDRU_S3_SECRET_KEY": "placeholder", "OCR_VLM_API_KEY": "placeholder"}
    with RunningStart(VLLM_ENABLED="true", VLLM_COMMAND="sh -c 'env; exec sleep 60'", **secrets) as start:
        start.wait_for("PATH=")
        start.wait_for("VLLM_API_KEY=placeholder")
    not_its_business = ("CLOUDRU_", "OCR_", "VLLM_ENABLED", "VLLM_COMMAND")
    assert not any(line.startswith(not_its_business) for line in start.log)

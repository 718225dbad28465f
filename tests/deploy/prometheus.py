"""The real Prometheus with the shipped configuration; only its targets and scrape interval are changed."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.running import ROOT, RunningProgram

MONITORING = ROOT / "deploy/monitoring"
# scripts/setup.sh unpacks the programs here.
UNPACKED = f"{ROOT}/.cache/servers/usr/bin"
KEY = "for-prometheus-alone"
T = TypeVar("T")


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=UNPACKED)
    assert found, f"{name} is missing: scripts/setup.sh test"
    return found


def promtool(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *arguments], input=given, capture_output=True, text=True, timeout=120
    )


def with_key(name: str, folder: Path) -> str:
    """Return a shipped configuration with its key settings uncommented; write a key file."""
    (folder / "ocr-api-key").write_text(KEY)
    text = (MONITORING / name).read_text().replace("/etc/prometheus", str(folder))
    return re.sub(r"# (authorization:|  credentials_file:)", r"\1", text)


def configuration(text: str, targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the configuration with these static targets and an interval of one second."""
    config: dict[str, Any] = yaml.safe_load(text)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(MONITORING / path) for path in config["rule_files"]]
    [job] = config["scrape_configs"]
    for key in [key for key in job if key.endswith("_configs") and key != "relabel_configs"]:
        del job[key]
    job["static_configs"] = list(targets)
    return config


class RunningPrometheus(RunningProgram):
    """Runs Prometheus on loopback; folder: for its configuration and its data."""

    listening = re.compile(r'msg="Listening on".* address=(\S+)')

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        (folder / "prometheus.yml").write_text(yaml.safe_dump(dict(config)))
        options = {
            "config.file": folder / "prometheus.yml",
            "storage.tsdb.path": folder / "data",
            "web.listen-address": "127.0.0.1:0",
        }
        super().__init__([program("prometheus"), *(f"--{name}={value}" for name, value in options.items())])

    def _start(self, opened: ExitStack) -> None:
        super()._start(opened)
        self.wait_for("Server is ready to receive web requests")

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the `data` of an API response."""
        answer = httpx.get(f"http://{self.url}/api/v1/{path}", params=parameters, timeout=120).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the current series of an expression, each with `metric` and `value`."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def found(self, expression: str) -> list[dict[str, Any]]:
        """Query until there is a series: there is none after a scrape that took more than its interval."""
        return self.until(lambda: self.query(expression), bool)

    def until(self, ask: Callable[[], T], holds: Callable[[T], object], seconds: float = 120) -> T:
        """Poll until the condition holds; return the response."""
        deadline = time.monotonic() + seconds
        while not holds(answer := ask()):
            assert time.monotonic() < deadline, answer
            time.sleep(0.1)
        return answer

"""The guides to monitoring are correct: commands run, configuration is valid, tables match the files."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.prometheus import MONITORING, program, promtool, with_key
from tests.deploy.test_guide import MARKS, blocks, in_code, tables
from tests.deploy.test_monitoring import ALERTS
from tests.running import ROOT

ENGLISH = (MONITORING / "README.md").read_text()
RUSSIAN = (MONITORING / "README.ru.md").read_text()


@pytest.mark.parametrize("block", [each for each in blocks(ENGLISH) if not each.startswith(MARKS)])
def test_commands_run(block: str) -> None:
    path = f"{Path(program('promtool')).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_network_matches_the_compose_file() -> None:
    name = re.search(r"^name: (\S+)$", (ROOT / "deploy/docker-compose.yml").read_text(), re.MULTILINE)
    assert name and f"--network {name[1]}_default" in ENGLISH


def test_files_in_the_guide_exist() -> None:
    files = next(rows for rows in tables(ENGLISH) if rows[0][0] == "`prometheus.yml`")
    there = {path.name for path in MONITORING.iterdir()} - {"README.md", "README.ru.md"}
    assert {row[0].strip("`") for row in files} == there


def test_alerts_match_the_rules() -> None:
    alerts = next(rows for rows in tables(ENGLISH) if rows[0][0] == "`OcrDown`")
    rules = [[f"`{name}`", rule["labels"]["severity"]] for name, rule in ALERTS.items()]
    assert [row[:2] for row in alerts] == rules


@pytest.mark.parametrize("name", ["prometheus.yml", "kubernetes.yml"])
def test_uncommented_key_settings_are_valid(name: str, tmp_path: Path) -> None:
    [job] = yaml.safe_load(with_key(name, tmp_path))["scrape_configs"]
    assert job["authorization"] == {"credentials_file": str(tmp_path / "ocr-api-key")}


def checked(config: str, folder: Path) -> subprocess.CompletedProcess[str]:
    for name, text in {"alerts.yml": (MONITORING / "alerts.yml").read_text(), "config.yml": config}.items():
        (folder / name).write_text(text)
    return promtool("check", "config", str(folder / "config.yml"))


def test_additional_job_is_valid(tmp_path: Path) -> None:
    [job] = re.findall(r"^```yaml\n(.*?)^```$", ENGLISH, re.MULTILINE | re.DOTALL)
    done = checked((MONITORING / "prometheus.yml").read_text() + job, tmp_path)
    assert done.returncode == 0, done.stderr


def test_russian_guide_has_the_same_commands_and_tables() -> None:
    assert re.findall(r"^```.*?^```$", RUSSIAN, re.MULTILINE | re.DOTALL) == re.findall(
        r"^```.*?^```$", ENGLISH, re.MULTILINE | re.DOTALL
    )
    english, russian = list(tables(ENGLISH)), list(tables(RUSSIAN))
    assert [len(rows) for rows in russian] == [len(rows) for rows in english]
    for ours, theirs in zip(english, russian, strict=True):
        for row, translated in zip(ours, theirs, strict=True):
            assert in_code(translated) == in_code(row)

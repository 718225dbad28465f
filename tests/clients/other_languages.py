"""Runs the HTTP clients of other languages against the service, and records their requests.

Usage: python -m tests.clients.other_languages FOLDER. Prints a table; the requests go to FOLDER. The tests of
every run send the requests in `tests/clients/recorded` again. scripts/clients.sh installs the clients.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.clients.conftest import FILE_NAME, TEXT, draw_upload
from tests.clients.recorder import Recorder
from tests.running import ROOT, RunningService

PROGRAMS = ROOT / "tests/clients/programs"
AXIOS = ROOT / ".cache/axios/node_modules"
JARS = ":".join(
    f"/usr/share/java/{name}.jar" for name in ("httpclient", "httpcore", "httpmime", "commons-logging")
)
QUERY = "store_source=true&format=json"


@dataclass(frozen=True)
class Program:
    """A client. version: command that prints it. run: command that takes the file and the URL."""

    name: str
    version: Sequence[str]
    run: Sequence[str]
    compile: Sequence[str] = ()


CLIENTS = (
    Program("java-httpclient", ("java", "--version"), ("java", f"{PROGRAMS}/Upload.java")),
    Program("apache-httpclient", ("dpkg-query", "-W", "libhttpclient-java"),
            ("java", "-cp", JARS, f"{PROGRAMS}/ApacheUpload.java")),
    Program("go-net-http", ("go", "version"), ("go", "run", f"{PROGRAMS}/upload.go")),
    Program("php-curl", ("php", "--version"), ("php", f"{PROGRAMS}/upload.php")),
    Program("node-fetch", ("node", "--version"), ("node", f"{PROGRAMS}/upload_fetch.mjs")),
    Program("axios", ("node", "-p", f"'axios ' + require('{AXIOS}/axios/package.json').version"),
            ("node", f"{PROGRAMS}/upload_axios.mjs")),
    Program("dotnet-mono", ("mono", "--version"), ("mono", "Upload.exe"),
            compile=("mcs", "-r:System.Net.Http.dll", "-out:Upload.exe", f"{PROGRAMS}/Upload.cs")),
)  # fmt: skip


def main(folder: Path) -> int:
    """Run all clients that are installed; return 1 if one fails."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "versions.txt").unlink(missing_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / FILE_NAME
        draw_upload(file)
        with RunningService(OCR_OUTPUT_DIR=f"{scratch}/results") as service:
            for client in CLIENTS:
                if shutil.which(client.run[0]) is None:
                    print(f"| {client.name} | not installed | |")
                    continue
                failed += not _succeeds(client, service, file, folder)
    return min(failed, 1)


def _succeeds(client: Program, service: RunningService, file: Path, folder: Path) -> bool:
    recorder = Recorder((urlsplit(service.url).hostname or "", urlsplit(service.url).port or 0))
    scratch, environment = file.parent, {**os.environ, "AXIOS": str(AXIOS), "GOCACHE": f"{file.parent}/go"}
    if client.compile:
        subprocess.run(client.compile, cwd=scratch, check=True)
    with recorder.running() as url:
        command = [*client.run, str(file), f"{url}/ocr?{QUERY}"]
        done = subprocess.run(
            command, cwd=scratch, env=environment, capture_output=True, text=True, timeout=120
        )
    answers = re.findall(r"^200 .*", done.stdout, re.MULTILINE)
    is_right = (
        len(answers) == len(recorder.requests) > 0
        and all(TEXT in answer for answer in answers)
        and f"/source/{FILE_NAME}" in answers[0]
    )
    version = subprocess.run(client.version, capture_output=True, text=True, check=True).stdout.splitlines()[
        0
    ]
    print(f"| {client.name} | {version} | {'ok' if is_right else 'FAILED: ' + done.stdout + done.stderr} |")
    with (folder / "versions.txt").open("a") as versions:
        versions.write(f"{client.name}: {version}\n")
    for number, request in enumerate(recorder.requests, start=1):
        (folder / f"{client.name}-{number}.http").write_bytes(request)
    return is_right


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

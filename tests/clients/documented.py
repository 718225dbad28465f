"""Runs the programs of docs/clients.md against the service: short ones, and ones with generated clients.

Prints a table. scripts/clients.sh installs the languages and the generators.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import DOCS, Page
from tests.running import ROOT, RunningService

GENERATOR = ROOT / ".cache/openapi-generator/openapi_generator_cli/openapi-generator.jar"
NODE_MODULES = ROOT / ".cache/openapi-ts/node_modules"
GO_PROPERTIES = "enumClassPrefix=true,useOneOfDiscriminatorLookup=true"
TSC_OPTIONS = ("--strict", "--skipLibCheck", "--module", "commonjs", "--target", "es2022")


@dataclass(frozen=True)
class Program:
    """A program of the page.

    block: its language on the page, and its number among the blocks in this language. file: its name. steps:
    commands in the folder of the file; the last one prints the text.
    """

    name: str
    block: tuple[str, int]
    file: str
    steps: Sequence[Sequence[str]]


PROGRAMS = (
    Program("Go", ("go", 0), "read.go", [("go", "run", "read.go")]),
    Program("Java", ("java", 0), "Read.java", [("java", "-Dstdout.encoding=UTF-8", "Read.java")]),
    Program(
        "C# on Mono",
        ("csharp", 0),
        "Read.cs",
        [("mcs", "-r:System.Net.Http.dll", "-out:Read.exe", "Read.cs"), ("mono", "Read.exe")],
    ),
    Program(
        "TypeScript, generated",
        ("typescript", 0),
        "read.ts",
        [
            ("node", "node_modules/.bin/openapi-ts", "-i", "openapi.json", "-o", "ocr"),
            ("node", "node_modules/.bin/tsc", *TSC_OPTIONS, "--outDir", "out", "read.ts"),
            ("node", "out/read.js"),
        ],
    ),
    Program(
        "Go, generated",
        ("go", 1),
        "read.go",
        [
            ("java", "-jar", str(GENERATOR), "generate", "-g", "go", "-i", "openapi.json", "-o", "ocr",
             "--package-name", "ocr", f"--additional-properties=withGoMod=false,{GO_PROPERTIES}"),
            ("rm", "-rf", "ocr/test"),
            ("go", "mod", "init", "example.com/reader"),
            ("go", "vet", "./..."),
            ("go", "run", "."),
        ],
    ),
)  # fmt: skip


def main() -> int:
    """Run the programs whose language is installed; return 1 if one fails."""
    page = Page(DOCS / "clients.md")
    (answer,) = (block.text for block in page.blocks if block.language == "markdown")
    failed = 0
    with RunningService() as service:
        for program in PROGRAMS:
            if shutil.which(program.steps[0][0]) is None:
                print(f"| {program.name} | not installed |")
                continue
            language, number = program.block
            source = [block.text for block in page.blocks if block.language == language][number]
            printed = _run(program, source.replace("http://localhost:8081", service.url), service)
            is_right = printed.strip() == answer
            failed += not is_right
            print(f"| {program.name} | {'ok' if is_right else 'FAILED: ' + printed} |")
    return min(failed, 1)


def _run(program: Program, source: str, service: RunningService) -> str:
    """Return the output of the last step, or of one that fails."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / program.file).write_text(source)
        (folder / "examples").symlink_to(ROOT / "examples")
        (folder / "node_modules").symlink_to(NODE_MODULES)
        (folder / "openapi.json").write_text(json.dumps(service.client.get("/openapi.json").json()))
        environment = {
            **os.environ,
            "LC_ALL": "C.UTF-8",
            "GOCACHE": str(ROOT / ".cache/go"),
            "GOFLAGS": "-mod=mod",
        }
        for step in program.steps:
            done = _step(step, folder, environment)
            if done.returncode != 0:
                return done.stdout + done.stderr
        return done.stdout


def _step(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


if __name__ == "__main__":
    sys.exit(main())

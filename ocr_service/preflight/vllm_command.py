"""The command with which start.sh starts vLLM, and whether vLLM accepts its arguments."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_service.preflight.findings import Finding, failed, passed, skipped

ROOT = Path(__file__).parents[2]
START = ROOT / "start.sh"

_ARGUMENTS = "vLLM arguments"
_NO_VLLM = 3
_CHECK_VENV = "check VLLM_VENV, or rebuild the image"
# The import of vLLM takes most of it.
_SECONDS = 300
# Builds the parser of `vllm serve`, and parses the arguments of this program.
_PARSE = """
import sys
try:
    from vllm.utils.argparse_utils import FlexibleArgumentParser
except ImportError:
    from vllm.utils import FlexibleArgumentParser
from vllm.entrypoints.openai.cli_args import make_arg_parser, validate_parsed_serve_args
parser = make_arg_parser(FlexibleArgumentParser(prog="vllm serve"))
validate_parsed_serve_args(parser.parse_args(sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class VllmCommand:
    """words: the command, or none if start.sh starts no vLLM. absent: the reason for that."""

    words: Sequence[str]
    absent: str = ""

    @property
    def arguments(self) -> Sequence[str] | None:
        """The arguments of `vllm serve`; None for another command."""
        is_serve = len(self.words) > 2 and self.words[0].endswith("/vllm") and self.words[1] == "serve"
        return self.words[2:] if is_serve else None

    def option(self, name: str, default: str) -> str:
        """Return the value of an option; the last one, as vLLM does."""
        value = default
        for word, following in zip(self.words, [*self.words[1:], ""], strict=True):
            if word == name:
                value = following
            elif word.startswith(f"{name}="):
                value = word.partition("=")[2]
        return value


def vllm_command(environment: Mapping[str, str]) -> VllmCommand:
    """Ask start.sh for the command; raises ValueError if start.sh refuses a setting."""
    run = subprocess.run(
        [str(START), "vllm-command"], env=dict(environment), capture_output=True, text=True, check=False
    )
    if run.returncode == _NO_VLLM:
        return VllmCommand((), run.stdout.strip())
    if run.returncode != 0:
        raise ValueError(_message(run.stderr))
    return VllmCommand(tuple(run.stdout.split("\0")[:-1]))


def _message(log: str) -> str:
    """Return the message of the last line that start.sh has logged."""
    last = (log.strip().splitlines() or ["start.sh failed"])[-1]
    try:
        return str(json.loads(last)["message"])
    except (ValueError, LookupError, TypeError):
        return last


def check_arguments(command: VllmCommand) -> Finding:
    """Have the parser of vLLM read its arguments, without a start."""
    if command.arguments is None:
        return skipped(_ARGUMENTS, f"{Path(command.words[0]).name} reads its arguments only when it starts")
    python = Path(command.words[0]).with_name("python")
    try:
        run = subprocess.run(
            [str(python), "-c", _PARSE, *command.arguments], capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return failed(_ARGUMENTS, f"vLLM does not run: {type(error).__name__}", _CHECK_VENV)
    if run.returncode == 0:
        return passed(_ARGUMENTS, " ".join(command.arguments))
    last = (run.stderr.strip().splitlines() or ["no output"])[-1]
    if "error:" in last:
        return failed(_ARGUMENTS, last, "correct VLLM_EXTRA_ARGS, or the VLLM_ variable of this argument")
    return failed(_ARGUMENTS, f"vLLM cannot be imported: {last}", _CHECK_VENV)

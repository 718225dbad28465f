"""Check this machine before the service is started on it.

Usage: python -m ocr_service.preflight [--json] [--no-page] [--seconds N]
In a container: docker run IMAGE preflight

It reads the same environment variables as the service, prints a line for each check, and exits with 1 if a
check failed. If all others pass, the last one starts the service, has it read a page, and stops it.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping

from ocr_service.preflight.findings import Finding, any_failed, as_json, failed, skipped
from ocr_service.preflight.gpu import check_gpu
from ocr_service.preflight.machine import check_machine
from ocr_service.preflight.models import check_models
from ocr_service.preflight.reading import check_page
from ocr_service.preflight.server import check_servers
from ocr_service.preflight.vllm_command import VllmCommand, check_arguments, vllm_command


def checks(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Make all checks but the last, in the order in which a start would fail."""
    try:
        command = vllm_command(environment)
    except ValueError as error:
        yield failed("settings", str(error), "correct this setting")
        return
    if command.words:
        yield from check_gpu(command, environment)
    else:
        yield skipped("GPU", f"vLLM is not started here: {command.absent}")
    yield from check_machine(environment, starts_vllm=bool(command.words))
    yield from _check_vllm(command, environment)


def _check_vllm(command: VllmCommand, environment: Mapping[str, str]) -> Iterator[Finding]:
    if command.words:
        yield from check_models(command, environment)
        yield check_arguments(command)
    elif urls := environment.get("OCR_VLM_URL"):
        yield from check_servers(urls, environment)


def main() -> None:
    """Print the findings, and exit with 1 if a check failed."""
    options = argparse.ArgumentParser(
        prog="preflight", description="Check this machine before the service starts."
    )
    options.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_argument("--no-page", action="store_true", help="do not start the service and read a page")
    options.add_argument(
        "--seconds", type=float, default=900, help="limit for the start of the service (900)"
    )
    given = options.parse_args()
    findings = []
    for finding in _all_checks(os.environ, given.no_page, given.seconds):
        findings.append(finding)
        if not given.json:
            print(finding, flush=True)
    if given.json:
        print(as_json(findings))
    sys.exit(any_failed(findings))


def _all_checks(environment: Mapping[str, str], no_page: bool, seconds: float) -> Iterator[Finding]:
    findings = []
    for finding in checks(environment):
        findings.append(finding)
        yield finding
    if no_page:
        yield skipped("one page", "--no-page")
    elif any_failed(findings):
        yield skipped("one page", "the failed checks come first")
    else:
        yield check_page(environment, seconds)


if __name__ == "__main__":
    main()

"""One page, read by the service from its start to its stop."""

import io
import json
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from ocr_service.preflight.findings import Finding, failed, passed
from ocr_service.preflight.vllm_command import ROOT, START

_CHECK = "one page"
_LINES = ("Preflight page", "Invoice number 20437", "The total amount is 158 dollars")
# The part of the words that must be read.
_SHARE = 0.8
_STOP_SECONDS = 120
_HINT = "the log of this run follows; docs/ and deploy/README.md explain its lines"
# This run neither stores its result nor requires a key of its caller.
_NOT_HERE = ("OCR_API_KEYS", "OCR_API_KEYS_FILE", "OCR_OUTPUT_DIR")
_opener = build_opener(ProxyHandler({}))


def check_page(environment: Mapping[str, str], seconds: float) -> Finding:
    """Start the service, have it read a page, and stop it. seconds: limit for the start."""
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        service = subprocess.Popen(
            [str(START)], cwd=ROOT, env=_settings(environment, port), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            finding = _read(service, f"http://127.0.0.1:{port}", seconds)
        finally:
            _stop(service)
        if finding.action is None:
            return finding
        log.seek(0)
        last = log.read().decode(errors="replace").splitlines()[-20:]
    return failed(_CHECK, finding.detail, "\n      ".join([finding.action, *last]))


def _settings(environment: Mapping[str, str], port: int) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if not name.startswith("CLOUDRU_")}
    for name in _NOT_HERE:
        kept.pop(name, None)
    return {
        **kept,
        "UVICORN_HOST": "127.0.0.1",
        "UVICORN_PORT": str(port),
        "VLLM_SERVER_PORT": str(_free_port()),
        "OCR_PRELOAD": "true",
        "OCR_CACHE_LIFETIME": "0",
    }


def _read(service: "subprocess.Popen[bytes]", url: str, seconds: float) -> Finding:
    started = time.monotonic()
    reason = _until_ready(service, url, started + seconds)
    if reason is not None:
        return failed(_CHECK, reason, _HINT)
    ready = time.monotonic()
    try:
        answer = _post(url, _page())
    except HTTPError as error:
        return failed(_CHECK, f"the service answered {error.code}", _HINT)
    except (URLError, OSError) as error:
        return failed(_CHECK, f"the service did not answer: {type(error).__name__}", _HINT)
    words = " ".join(_LINES).split()
    found = sum(word in answer["text"] for word in words)
    if found < _SHARE * len(words):
        detail = f"{found} of {len(words)} words were read by {answer['engine']['name']}"
        return failed(_CHECK, detail, "the engine answers with a wrong text: check the models and the driver")
    detail = (
        f"read by {answer['engine']['name']} in {time.monotonic() - ready:.1f} s; "
        f"ready {ready - started:.0f} s after the start"
    )
    return passed(_CHECK, detail)


def _until_ready(service: "subprocess.Popen[bytes]", url: str, deadline: float) -> str | None:
    """Return None when the service is ready, or else the reason why it is not."""
    reason = "no answer"
    while time.monotonic() < deadline:
        if service.poll() is not None:
            return f"the service exited with {service.returncode}"
        try:
            with _opener.open(f"{url}/health/ready", timeout=5):
                return None
        except HTTPError as error:
            reason = "; ".join(json.load(error)["reasons"])
            if "is unavailable" in reason:
                return reason
        except (URLError, OSError):
            pass
        time.sleep(0.5)
    return f"the service is not ready in time: {reason}"


def _post(url: str, page: bytes) -> dict:  # type: ignore[type-arg]
    boundary = "preflight-page"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="page.png"\r\n\r\n'
    body = head.encode() + page + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    with _opener.open(Request(f"{url}/ocr", body, kind), timeout=600) as answer:
        content: dict = json.load(answer)  # type: ignore[type-arg]
        return content


def _page() -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (1240, 700), "white")
    for number, line in enumerate(_LINES):
        ImageDraw.Draw(page).text((120, 120 + 150 * number), line, "black", ImageFont.load_default(48))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _stop(service: "subprocess.Popen[bytes]") -> None:
    if service.poll() is None:
        service.send_signal(signal.SIGTERM)
        try:
            service.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])

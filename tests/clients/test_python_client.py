"""The Python client and the command `ocr`, against the service on a real socket."""

import asyncio
import fcntl
import io
import os
import signal
import subprocess
import sys
import termios
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
from ocr_client import AsyncClient, Client, Job, OcrError, ServiceUnreachable

from ocr_service.core.documents import Page, PageResult
from ocr_service.core.errors import RecognitionFailed
from ocr_service.core.options import Options
from tests.fakes.faulty_engine import FaultyEngine
from tests.fakes.gated_engine import GatedEngine
from tests.fakes.scripted_engine import ScriptedEngine
from tests.http.peers import whole_request
from tests.http.scraping import scrape
from tests.http.serving import serving
from tests.running import ROOT, RunningProgram, free_port
from tests.samples import pdf_of_text, small_png

pytestmark = pytest.mark.anyio

PACKAGE = ROOT / "clients" / "python"
KEY = "a-key-for-the-tests"
REQUESTS = "ocr_requests_total"


def service(engine: Any, folder: Path, **settings: Any) -> Any:
    return serving(engine, ocr_output_dir=folder, **settings)


def client_of(served: Any, **options: Any) -> AsyncClient:
    return AsyncClient(str(served.base_url), **options)


async def test_image_is_answered_at_once_and_a_pdf_becomes_a_job(tmp_path: Path) -> None:
    async with service(ScriptedEngine(), tmp_path) as served, client_of(served) as client:
        image = await client.read(small_png())
        states: list[Job] = []
        document = await client.read(pdf_of_text(["a"] * 3), on_progress=states.append, pages="2-3")
        listed = (await served.get("/jobs")).json()["jobs"]
    assert (image.text, image.is_complete) == ("page 1", True)
    assert [page.text for page in document.pages] == ["page 2", "page 3"]
    assert document.pages[0].blocks[0].bbox == (1, 2, 3, 4)
    assert len(listed) == 1 and states[-1].state == "done" and states[-1].pages_done == 2


async def test_service_without_jobs_reads_long_documents_at_once() -> None:
    async with serving(ScriptedEngine()) as served, client_of(served) as client:
        document = await client.read(pdf_of_text(["a"] * 2))
        pages = [page async for page in client.pages(pdf_of_text(["a"] * 2))]
    assert [page.text for page in document.pages] == [page.text for page in pages] == ["page 1", "page 2"]


async def test_pages_come_as_they_are_read(tmp_path: Path) -> None:
    engine = GatedEngine()
    engine.open(2)
    async with service(engine, tmp_path) as served, client_of(served) as client:
        pages = client.pages(pdf_of_text(["a"] * 3))
        assert (await anext(pages)).index == 2
        for index in (1, 3):
            engine.open(index)
        assert sorted([page.index async for page in pages]) == [1, 3]


async def test_paths_files_and_addresses_are_sources(tmp_path: Path) -> None:
    scan = tmp_path / "scan.png"
    scan.write_bytes(small_png())
    async with service(ScriptedEngine(), tmp_path / "out") as served, client_of(served) as client:
        assert (await client.read(scan)).text == (await client.read(str(scan))).text == "page 1"
        with scan.open("rb") as file:
            assert (await client.read(file)).text == "page 1"
        with pytest.raises(OcrError) as refused:
            await client.read("http://127.0.0.1/scan.png")
    assert refused.value.code == "url_not_allowed"


async def test_exports_and_cancelled_jobs(tmp_path: Path) -> None:
    engine = GatedEngine()
    async with service(engine, tmp_path) as served, client_of(served) as client:
        job = await client.submit(pdf_of_text(["a"]))
        await engine.entered.get()
        await client.cancel(job.id)
        with pytest.raises(OcrError, match="cancelled"):
            await client.wait(job)
        engine.open(1)
        assert (await client.export(pdf_of_text(["a"]), "html")).startswith(b"<!DOCTYPE html>")


async def test_interrupted_reading_cancels_its_job(tmp_path: Path) -> None:
    engine, document = GatedEngine(), pdf_of_text(["a"] * 2)
    engine.open(1)
    async with service(engine, tmp_path) as served, client_of(served) as client:
        waits = asyncio.Event()
        reading = asyncio.create_task(client.read(document, on_progress=lambda _: waits.set()))
        await waits.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with aclosing(client.pages(document)) as pages:
            await anext(pages)
        await asyncio.to_thread(_interrupt, str(served.base_url), document)
        jobs = (await served.get("/jobs")).json()["jobs"]
    assert [job["state"] for job in jobs] == ["cancelled"] * 4


def _interrupt(url: str, document: bytes) -> None:
    """Interrupt the synchronous client, first while it waits and then between two pages."""

    def interrupt(_: Job) -> None:
        raise KeyboardInterrupt

    with Client(url) as client:
        with pytest.raises(KeyboardInterrupt):
            client.read(document, on_progress=interrupt)
        pages = client.pages(document)
        next(pages)
        pages.close()


async def test_errors_of_pages_are_seen(tmp_path: Path) -> None:
    engine = FaultyEngine({2: RecognitionFailed("Page 2 failed.")})
    async with service(engine, tmp_path) as served, client_of(served) as client:
        document = await client.read(pdf_of_text(["a"] * 2))
    error = document.pages[1].error
    assert error is not None and error.detail == "Page 2 failed." and not document.is_complete


async def test_refusals_have_the_code_of_the_service(tmp_path: Path) -> None:
    async with service(ScriptedEngine(), tmp_path, ocr_api_keys=KEY) as served:
        async with client_of(served) as client:
            with pytest.raises(OcrError) as refused:
                await client.read(small_png())
        async with client_of(served, key=KEY) as client:
            with pytest.raises(OcrError) as damaged:
                await client.read(b"%PDF-1.7 nothing")
            assert (await client.read(small_png())).text == "page 1"
    assert (refused.value.status, damaged.value.code) == (401, "broken_document")


async def test_waiting_goes_on_when_the_service_is_away_for_a_while(tmp_path: Path) -> None:
    engine = GatedEngine()
    port = free_port()
    async with service(engine, tmp_path, port=port) as served, client_of(served) as client:
        job = await client.submit(pdf_of_text(["a"]))
        await engine.entered.get()
    engine.open(1)
    async with AsyncClient(f"http://127.0.0.1:{port}") as client:
        waiting = asyncio.create_task(client.wait(job))
        command = [sys.executable, "-m", "uvicorn", "tests.fakes.scripted_service:app", "--port", str(port)]
        program = await asyncio.to_thread(RunningProgram(command, OCR_OUTPUT_DIR=str(tmp_path)).__enter__)
        try:
            assert (await waiting).state == "done"
            assert (await client.result(job.id, "text")).decode() == "page 1"
        finally:
            await asyncio.to_thread(program.__exit__, None, None, None)


async def test_absent_service_is_reported_after_the_patience() -> None:
    async with AsyncClient("http://127.0.0.1:9", patience=0) as client:
        with pytest.raises(ServiceUnreachable):
            await client.read(small_png())


async def test_synchronous_client_does_the_same(tmp_path: Path) -> None:
    def use(url: str) -> list[str]:
        with Client(url) as client:
            document = client.read(pdf_of_text(["a"] * 2))
            pages = client.pages(pdf_of_text(["a"]))
            return [*(page.text for page in document.pages), *(page.text for page in pages)]

    async with service(ScriptedEngine(), tmp_path) as served:
        assert await asyncio.to_thread(use, str(served.base_url)) == ["page 1", "page 2", "page 1"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, built as a wheel and installed into a folder."""
    folder = tmp_path_factory.mktemp("client")
    uv = ROOT / ".cache" / "uv" / "bin" / "uv"
    build = [str(uv), "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, str(PACKAGE), "--out-dir", str(folder)], check=True)
    [wheel] = folder.glob("*.whl")
    target = folder / "installed"
    install = [str(uv), "pip", "install", "--quiet", "--no-deps", "--offline", "--python", sys.executable]
    subprocess.run([*install, "--target", str(target), str(wheel)], check=True)
    return target


def ocr_command(installed: Path, url: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and its environment."""
    command = [sys.executable, str(installed / "bin" / "ocr"), *arguments]
    return command, {**os.environ, "PYTHONPATH": str(installed), "OCR_URL": url}


async def run_ocr(
    installed: Path, url: str, *arguments: str, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    command, environment = ocr_command(installed, url, *arguments)

    def run() -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(command, input=given, capture_output=True, env=environment, cwd=installed)

    return await asyncio.to_thread(run)


async def test_command_writes_a_file_for_each_document_and_format(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_of_text(["a"] * 2))
    for name in ("b.png", "a.png"):
        (tmp_path / name).write_bytes(small_png())
    out = tmp_path / "results"
    async with service(ScriptedEngine(), tmp_path / "data") as served:
        sources = [str(tmp_path / name) for name in ("a.pdf", "b.png")]
        twins = [str(tmp_path / name) for name in ("a.pdf", "a.png")]
        same = await run_ocr(installed, str(served.base_url), *twins, "-o", str(tmp_path / "twins"))
        done = await run_ocr(installed, str(served.base_url), *sources, "-o", str(out), "-f", "md,json,html")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    names = sorted(path.name for path in out.iterdir())
    assert names == ["a.html", "a.json", "a.md", "b.html", "b.json", "b.md"]
    assert (out / "a.md").read_text() == "**page 1**\n\n**page 2**\n"
    twins = sorted(path.name for path in (tmp_path / "twins").iterdir())
    assert (same.returncode, twins) == (0, ["a.pdf.md", "a.png.md"])


async def test_command_reads_a_document_once_for_a_pdf_and_its_text(installed: Path, tmp_path: Path) -> None:
    out, pdf = tmp_path / "results", pdf_of_text(["Its own text is good."])
    async with service(ScriptedEngine(), tmp_path / "data") as served:
        done = await run_ocr(installed, str(served.base_url), "-", "-o", str(out), "-f", "pdf,txt", given=pdf)
        jobs = (await served.get("/jobs")).json()["jobs"]
    assert (done.returncode, len(jobs)) == (0, 1)
    assert (out / "stdin.pdf").read_bytes() == pdf
    assert (out / "stdin.txt").read_text() == "Its own text is good.\n"


async def test_command_reads_the_standard_input(installed: Path, tmp_path: Path) -> None:
    async with service(ScriptedEngine(), tmp_path) as served:
        done = await run_ocr(installed, str(served.base_url), "-", "-f", "txt", given=small_png())
    assert (done.returncode, done.stdout) == (0, b"page 1\n")


class _Verbose(ScriptedEngine):
    """Returns a page with more text than a pipe holds."""

    async def recognize(self, page: Page, options: Options) -> PageResult:
        return replace(await super().recognize(page, options), text="v" * 200_000)


async def test_command_that_is_stopped_and_goes_on_writes_its_whole_output(
    installed: Path, tmp_path: Path
) -> None:
    """As with Ctrl+Z and `fg`: a full pipe has then taken a part of the text."""
    (tmp_path / "a.png").write_bytes(small_png())
    async with service(_Verbose(), tmp_path / "data") as served:
        command, environment = ocr_command(
            installed, str(served.base_url), str(tmp_path / "a.png"), "-f", "txt"
        )
        environment["PYTHONUNBUFFERED"] = "1"
        process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
            command, env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(120):
            while waiting_bytes(process.stdout) < fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ):
                await asyncio.sleep(0.02)
        process.send_signal(signal.SIGSTOP)
        process.send_signal(signal.SIGCONT)
        output, _ = await asyncio.to_thread(process.communicate)
    assert (process.returncode, len(output)) == (0, 200_001)


def waiting_bytes(pipe: IO[bytes]) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


async def test_interrupted_command_cancels_its_job(installed: Path, tmp_path: Path) -> None:
    async with service(GatedEngine(), tmp_path) as served:
        before = await scrape(served)
        command, environment = ocr_command(installed, str(served.base_url), "-")
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(pdf_of_text(["a"] * 2))
        process.stdin.close()
        async with asyncio.timeout(120):
            # The job begins before the command knows its id; then the command asks for its state.
            while ("", "/jobs/{job_id}", "200") not in (await scrape(served)).since(before, REQUESTS):
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, error = await process.communicate()
        [job] = (await served.get("/jobs")).json()["jobs"]
    assert (process.returncode, error, job["state"]) == (130, b"", "cancelled")


async def test_answer_of_another_service_is_an_error(installed: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await whole_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<p>Log in")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        documents = (small_png(), pdf_of_text(["a"]))
        done = [await run_ocr(installed, url, "-", "--patience", "0", given=each) for each in documents]
    said = b"ocr: -: The answer is not one of the OCR service.\n"
    assert [(each.returncode, each.stdout, each.stderr) for each in done] == [(1, b"", said)] * 2


async def test_exit_codes_of_the_command(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_of_text(["a"] * 2))
    engine = FaultyEngine({2: RecognitionFailed("Page 2 failed.")})
    async with service(engine, tmp_path / "data") as served:
        url = str(served.base_url)
        partly = await run_ocr(installed, url, str(tmp_path / "a.pdf"))
        missing = await run_ocr(installed, url, str(tmp_path / "none.pdf"))
        wrong = await run_ocr(installed, url, str(tmp_path / "a.pdf"), "-f", "odt")
    pdf = str(tmp_path / "a.pdf")
    away = await run_ocr(installed, "http://127.0.0.1:9", pdf, "--patience", "0")
    patient = await run_ocr(installed, "http://127.0.0.1:9", pdf, "--patience", "0.3")
    refused = [
        await run_ocr(installed, "localhost:8081", pdf),
        await run_ocr(installed, "http://127.0.0.1:port", pdf),
        await run_ocr(installed, "http://127.0.0.1:9", pdf, "--key", "ключ"),
        await run_ocr(installed, "http://127.0.0.1:9", pdf, pdf, "-o", str(tmp_path)),
    ]
    assert (partly.returncode, partly.stdout) == (1, b"**page 1**\n")
    assert b"page 2: Page 2 failed." in partly.stderr
    assert [done.returncode for done in (missing, wrong, away)] == [1, 2, 2]
    assert io.BytesIO(missing.stderr).readline().startswith(b"ocr: ")
    assert patient.returncode == 2 and patient.stderr.count(b"ocr: waiting: ") == 1
    reasons = (b"http://", b"not valid", b"ASCII", b"same name")
    for done, reason in zip(refused, reasons, strict=True):
        assert done.returncode == 2 and reason in done.stderr and b"Traceback" not in done.stderr

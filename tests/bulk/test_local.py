"""`ocr-bulk --local`: the command with a service of its own."""

import os
from pathlib import Path

import pytest

from ocr_service.bulk.cli import main
from tests.samples import encoded, printed_page

ENVIRONMENT = {**os.environ, "OCR_ENGINE": "tesseract", "OCR_API_KEY": "of a client"}


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    (tmp_path / "in").mkdir()
    page = printed_page(["A short line of text"], size=(1200, 500)).image
    (tmp_path / "in" / "page.png").write_bytes(encoded(page, "PNG"))
    return [str(tmp_path / "in"), str(tmp_path / "out")]


def test_service_runs_as_long_as_the_command(places: list[str]) -> None:
    assert main([*places, "--local", "--format", "text"], ENVIRONMENT) == 0
    assert Path(places[1], "page.png.txt").read_text().strip() == "A short line of text"


def test_service_that_cannot_start_ends_the_run(
    places: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*places, "--local"], {**ENVIRONMENT, "OCR_NO_SUCH_SETTING": "1"}) == 1
    assert "has ended" in capsys.readouterr().err

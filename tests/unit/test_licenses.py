"""Every dependency has a licence compatible with Apache-2.0, or an obligation listed in docs/licenses.md."""

from importlib.metadata import PackageNotFoundError

import pytest

from scripts import licenses
from tests.running import ROOT

SERVICE = licenses.installed(licenses.SERVICE)
PADDLEOCR = licenses.installed(licenses.PADDLEOCR) - SERVICE
PAGES = [(ROOT / folder / "licenses.md").read_text() for folder in ("docs", "docs/ru")]


@pytest.mark.parametrize("name", sorted(SERVICE | PADDLEOCR))
def test_license_of_a_package_is_permissive_or_reviewed(name: str) -> None:
    assert name in licenses.REVIEWED or licenses.is_permissive(licenses.license_of(name))


@pytest.mark.parametrize("name", sorted(SERVICE | PADDLEOCR))
def test_license_of_a_native_library_is_known(name: str) -> None:
    assert licenses.libraries_of(name) <= licenses.PERMISSIVE_LIBRARIES | licenses.REVIEWED_LIBRARIES.keys()


@pytest.mark.parametrize("page", PAGES, ids=["English", "Russian"])
def test_page_lists_all_packages(page: str) -> None:
    lines = page.splitlines()
    assert [row for row in licenses.rows(SERVICE) + licenses.rows(PADDLEOCR) if row not in lines] == []


@pytest.mark.parametrize("page", PAGES, ids=["English", "Russian"])
def test_page_names_the_obligations(page: str) -> None:
    reviewed = licenses.REVIEWED | licenses.REVIEWED_LIBRARIES
    assert [name for name in reviewed if f"`{name}`" not in page] == []


def test_every_review_belongs_to_an_installed_package() -> None:
    assert licenses.REVIEWED.keys() <= SERVICE | PADDLEOCR
    libraries = {library for name in SERVICE | PADDLEOCR for library in licenses.libraries_of(name)}
    assert licenses.REVIEWED_LIBRARIES.keys() <= libraries


@pytest.mark.parametrize(
    ("expression", "permissive"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-2.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND LGPL-2.1-only", False),
        ("unknown", False),
    ],
)
def test_license_expression_is_evaluated(expression: str, permissive: bool) -> None:
    assert licenses.is_permissive(expression) is permissive


def test_native_libraries_of_a_wheel_are_found() -> None:
    assert {"heif", "de265"} <= licenses.libraries_of("pillow-heif")


def test_requirements_of_an_extra_are_included() -> None:
    assert "premailer" not in licenses.installed(["paddlex"])
    assert "premailer" in licenses.installed(["paddlex[ocr]"])


def test_package_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(PackageNotFoundError):
        licenses.installed(["no-such-package"])

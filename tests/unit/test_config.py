from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from ocr_service.config import ConfigurationError, load_settings
from ocr_service.core.settings import without_credentials
from ocr_service.decoding.settings import DocumentSettings
from ocr_service.security.addresses import Allowlist


def test_defaults_without_variables() -> None:
    settings = load_settings({})
    assert settings.uploads.max_bytes == 50 * 2**20
    assert (settings.documents.max_page_pixels, settings.documents.max_pages) == (100_000_000, 500)
    assert settings.tesseract.lang == "rus+eng"
    assert (settings.s3.prefix, settings.s3.url_lifetime) == ("ocr", 86_400)
    assert not settings.s3.configured


def test_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MAX_PAGES", "7")
    assert load_settings().documents.max_pages == 7


def test_settings_cannot_be_changed() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError, match="frozen"):
        settings.documents.max_pages = 7  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.documents = DocumentSettings()  # type: ignore[misc]


def test_misspelt_field_of_a_group_is_refused() -> None:
    misspelt: Any = {"max_page": 7}
    with pytest.raises(ValidationError, match="max_page"):
        DocumentSettings(**misspelt)


VALID = {"ENDPOINT": "https://s3.cloud.ru", "BUCKET": "scans", "ACCESS_KEY": "a:b", "SECRET_KEY": "c"}
S3 = tuple(VALID)


@pytest.mark.parametrize("given", range(5))
def test_object_storage_needs_all_four_settings(given: int) -> None:
    s3 = load_settings({f"CLOUDRU_S3_{name}": VALID[name] for name in S3[:given]}).s3
    assert s3.configured is (given == 4)
    assert s3.missing == ([f"CLOUDRU_S3_{name}" for name in S3[given:]] if given else [])


def test_blanks_and_line_ends_around_values_are_ignored() -> None:
    given = {"CLOUDRU_S3_ENDPOINT": " https://s3.cloud.ru\n", "CLOUDRU_S3_SECRET_KEY": "a secret\n"}
    settings = load_settings(given | {"CLOUDRU_S3_BUCKET": "\n", "OCR_VLM_API_KEY": "key\r\n"})
    assert settings.s3.endpoint == "https://s3.cloud.ru"
    assert settings.s3.secret_key == SecretStr("a secret")
    assert settings.vlm.api_key == SecretStr("key")
    assert settings.s3.missing == ["CLOUDRU_S3_BUCKET", "CLOUDRU_S3_ACCESS_KEY"]


def test_environment_is_read() -> None:
    documents = load_settings({"OCR_MAX_PAGES": "7", "OCR_PDF_DPI": ""}).documents
    assert documents.max_pages == 7
    assert documents.pdf_dpi is None


def test_variable_names_are_case_insensitive() -> None:
    assert load_settings({"ocr_max_pages": "7"}).documents.max_pages == 7


def test_unknown_setting_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match=r"no setting OCR_MAX_PAGE\. Did you mean OCR_MAX_PAGES\?"):
        load_settings({"OCR_MAX_PAGE": "7"})


@pytest.mark.parametrize(
    "name",
    ["OCR_PORT", "OCR_SERVICE_HOST", "OCR_SERVICE_PORT_HTTP_API", "OCR_API_PORT_8081_TCP_ADDR"],
)
def test_kubernetes_service_variables_are_ignored(name: str) -> None:
    load_settings({name: "tcp://10.0.0.1:8081"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OCR_MAX_PAGES", "many"),
        ("OCR_MAX_PAGES", "0"),
        ("OCR_ENGINE", "abbyy"),
        ("OCR_VLM_URL", "file:///etc/passwd"),
        ("CLOUDRU_S3_ENDPOINT", "s3.cloud.ru"),
        ("CLOUDRU_S3_PREFIX", "../up"),
        ("CLOUDRU_S3_PREFIX", "/a/"),
        ("CLOUDRU_S3_ADDRESSING_STYLE", "moon"),
        ("CLOUDRU_S3_URL_LIFETIME", "604801"),
        ("OCR_API_KEYS", " , "),
        ("OCR_API_KEYS", "two words"),
        ("OCR_API_KEYS_FILE", "/nowhere/keys"),
        ("OCR_CORS_ORIGINS", "https://one.example/path"),
        ("OCR_URL_ALLOWLIST", "localhost, http://10.0.0.1/"),
        ("OCR_URL_PORTS", "https"),
        ("OCR_URL_PORTS", "80,65536"),
        ("OCR_URL_PORTS", "-80"),
        ("OCR_URL_TIMEOUT", "-1"),
        ("OCR_VLM_TIMEOUT", "soon"),
        ("OCR_MAX_UPLOAD_MB", "0"),
        ("OCR_TESSERACT_THREADS", "0"),
        ("OCR_CACHE_LIFETIME", "inf"),
        ("OCR_OUTPUT_KEEP", "1e300"),
        ("OCR_OUTPUT_DIR", __file__),
        ("OCR_JOBS_DIR", __file__),
        ("OCR_JOBS_URL", "mysql://host/database"),
        ("OCR_JOBS_URL", "postgresql://host:99999/database"),
        ("OCR_PUBLIC_URL", "https://ocr.example.com/?a=b"),
        ("OCR_PUBLIC_URL", "https://ocr.example\n.com"),
        ("OCR_VLM_API_KEY", "two words"),
        ("CLOUDRU_S3_BUCKET", "a/b"),
        ("CLOUDRU_S3_REGION", "two words"),
        ("OCR_DEVICE", "cuda"),
    ],
)
def test_invalid_value_is_refused_and_its_variable_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: ") as caught:
        load_settings({name: value})
    assert value not in str(caught.value)
    assert "pattern" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"two words\n", b"\xff\xfe"])
def test_file_without_a_valid_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(ConfigurationError, match="OCR_API_KEYS_FILE"):
        load_settings({"OCR_API_KEYS_FILE": str(tmp_path / "keys")})


def test_every_invalid_value_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"OCR_ENGINE: .*; OCR_VLM_TIMEOUT: "):
        load_settings({"OCR_VLM_TIMEOUT": "soon", "OCR_ENGINE": "abbyy"})


def test_lists_are_parsed() -> None:
    defaults = load_settings({})
    assert defaults.urls.ports == {80, 443}
    assert not defaults.urls.allowlist.names
    assert defaults.access.cors_origins == ()
    urls = load_settings(
        {"OCR_URL_PORTS": " 80, 8080 ,", "OCR_URL_ALLOWLIST": "minio, *.example.com, 10.0.0.0/8"}
    ).urls
    assert urls.ports == {80, 8080}
    assert urls.allowlist == Allowlist.parse("10.0.0.0/8 *.example.com minio")


def test_tessdata_prefix_sets_the_language_data_folder() -> None:
    assert str(load_settings({"TESSDATA_PREFIX": "/data/tess"}).tesseract.tessdata_dir) == "/data/tess"


def test_secrets_are_hidden_in_repr() -> None:
    settings = load_settings(
        {
            "CLOUDRU_S3_SECRET_KEY": "not-a-real-secret",
            "CLOUDRU_S3_ACCESS_KEY": "tenant-id:key-id",
            "OCR_API_KEYS": "not-a-real-key",
        }
    )
    shown = repr(settings) + str(settings) + settings.model_dump_json()
    assert "not-a-real" not in shown and "tenant-id" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://[bad/v1",
        "http://a..b/v1",
        "http://a/v1,ftp://b/v1",
        "http://a/v1, http://a/v1/",
    ],
)
def test_invalid_url_is_refused_and_not_quoted(url: str) -> None:
    with_password = url.replace("://", "://me:SECRET@")
    with pytest.raises(ConfigurationError, match=r"^OCR_VLM_URL: ") as refusal:
        load_settings({"OCR_VLM_URL": with_password})
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize("name", ["OCR_VLM_URL", "OCR_JOBS_URL"])
def test_password_that_is_not_percent_encoded_is_not_quoted(name: str) -> None:
    # The slash ends the host, so a part of the password stands at the place of the port.
    scheme = "http" if name == "OCR_VLM_URL" else "postgresql"
    with pytest.raises(ConfigurationError, match=f"^{name}: .*it must be a URL") as refusal:
        load_settings({name: f"{scheme}://me:SECRET/word@host/database"})
    assert "SECRET" not in str(refusal.value)


def test_several_vllm_servers() -> None:
    settings = load_settings({"OCR_VLM_URL": "http://a:8000/v1, https://b/v1,"})
    assert settings.vlm.api_urls == ("http://a:8000/v1", "https://b/v1")


def test_empty_variable_counts_as_absent() -> None:
    assert load_settings({"OCR_VLM_URL": ""}).vlm.url is None


def test_password_in_a_url_is_hidden_in_repr() -> None:
    settings = load_settings({"OCR_VLM_URL": "http://me:SECRET@host/v1"})
    assert settings.vlm.url is not None
    assert "SECRET" not in repr(settings)


def test_vllm_reason_is_ignored_for_a_remote_server() -> None:
    reason = {"OCR_VLM_NOT_STARTED": "VLLM_ENABLED=false"}
    assert load_settings(reason).vlm.reason_not_started == "VLLM_ENABLED=false"
    assert load_settings(reason | {"OCR_VLM_URL": "http://host/v1"}).vlm.reason_not_started is None


def test_credentials_in_an_address_are_not_shown() -> None:
    shown = without_credentials("https://user:pass%40word@s3.example.com:9000/a?token=b")
    assert shown == "https://s3.example.com:9000/a"

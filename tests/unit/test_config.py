from pathlib import Path

import pytest

from ocr_service.config import ConfigurationError, Settings, load_settings
from ocr_service.security.addresses import Allowlist


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_defaults(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert (settings.ocr_max_upload_mb, settings.ocr_max_page_megapixels, settings.ocr_max_pages) == (
        50,
        100,
        500,
    )
    assert settings.ocr_lang == "rus+eng"
    assert not settings.s3_configured


S3 = ("ENDPOINT", "BUCKET", "ACCESS_KEY", "SECRET_KEY")


@pytest.mark.parametrize("given", range(5))
def test_object_storage_needs_all_four_of_its_settings(environment: pytest.MonkeyPatch, given: int) -> None:
    for name in S3[:given]:
        environment.setenv(f"CLOUDRU_S3_{name}", "https://s3.cloud.ru")
    settings = load_settings()
    assert settings.s3_configured is (given == 4)
    assert settings.s3_missing == ([f"CLOUDRU_S3_{name}" for name in S3[given:]] if given else [])


def test_line_ends_around_the_object_storages_settings_are_none_of_theirs(
    environment: pytest.MonkeyPatch,
) -> None:
    for name in S3:
        environment.setenv(f"CLOUDRU_S3_{name}", " https://s3.cloud.ru\n")
    environment.setenv("CLOUDRU_S3_BUCKET", "\n")
    settings = load_settings()
    assert settings.cloudru_s3_endpoint == "https://s3.cloud.ru"
    assert settings.cloudru_s3_secret_key is not None
    assert settings.cloudru_s3_secret_key.get_secret_value() == "https://s3.cloud.ru"
    assert settings.s3_missing == ["CLOUDRU_S3_BUCKET"]


def test_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OCR_MAX_PAGES", "7")
    environment.setenv("OCR_PDF_DPI", "")
    settings = load_settings()
    assert settings.ocr_max_pages == 7
    assert settings.ocr_pdf_dpi is None


def test_unknown_setting_is_refused_with_what_was_meant(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OCR_MAX_PAGE", "7")
    with pytest.raises(ConfigurationError, match=r"no setting OCR_MAX_PAGE\. Did you mean OCR_MAX_PAGES\?"):
        load_settings()


@pytest.mark.parametrize(
    "name",
    ["OCR_PORT", "OCR_SERVICE_HOST", "OCR_SERVICE_PORT_HTTP_API", "OCR_API_PORT_8081_TCP_ADDR"],
)
def test_what_kubernetes_sets_for_a_service_is_no_setting(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "tcp://10.0.0.1:8081")
    load_settings()


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
    ],
)
def test_wrong_value_is_refused_by_name(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        load_settings()
    assert value not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"two words\n", b"\xff\xfe"])
def test_file_of_keys_without_any_stops_the_start(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "keys").write_bytes(content)
    environment.setenv("OCR_API_KEYS_FILE", str(tmp_path / "keys"))
    with pytest.raises(ConfigurationError, match="OCR_API_KEYS_FILE"):
        load_settings()


def test_lists_are_read(environment: pytest.MonkeyPatch) -> None:
    assert load_settings().url_ports == {80, 443}
    assert not load_settings().url_allowlist.names
    environment.setenv("OCR_URL_PORTS", " 80, 8080 ,")
    environment.setenv("OCR_URL_ALLOWLIST", "minio, *.example.com, 10.0.0.0/8")
    settings = load_settings()
    assert settings.url_ports == {80, 8080}
    assert settings.url_allowlist == Allowlist.parse("10.0.0.0/8 *.example.com minio")


def test_tesseracts_own_variable_names_its_data(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TESSDATA_PREFIX", "/data/tess")
    assert str(load_settings().ocr_tessdata_dir) == "/data/tess"


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLOUDRU_S3_SECRET_KEY", "not-a-real-secret")
    environment.setenv("CLOUDRU_S3_ACCESS_KEY", "tenant-id:key-id")
    environment.setenv("OCR_API_KEYS", "not-a-real-key")
    shown = repr(load_settings()) + str(load_settings()) + load_settings().model_dump_json()
    assert "not-a-real" not in shown and "tenant-id" not in shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080",
        "ftp://host/v1",
        "http://",
        "http://host:port/v1",
        "http://[bad/v1",
        "http://a..b/v1",
    ],
)
def test_address_that_is_none_is_refused_without_quoting_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("OCR_VLM_URL", url.replace("://", "://me:SECRET@") if url.startswith("http") else url)
    if not url:
        assert load_settings().ocr_vlm_url is None
        return
    with pytest.raises(ConfigurationError, match="OCR_VLM_URL") as refusal:
        load_settings()
    assert "SECRET" not in str(refusal.value)


def test_addresss_password_is_not_in_the_settings_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_VLM_URL", "http://me:SECRET@host/v1")
    assert load_settings().ocr_vlm_url is not None
    assert "SECRET" not in repr(load_settings())

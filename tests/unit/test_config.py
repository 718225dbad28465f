import pytest

from ocr_service.config import ConfigurationError, Settings, load_settings


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


def test_environment_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OCR_MAX_PAGES", "7")
    environment.setenv("OCR_PDF_DPI", "")
    settings = load_settings()
    assert settings.ocr_max_pages == 7
    assert settings.ocr_pdf_dpi is None


def test_unknown_setting_is_refused_with_what_was_meant(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OCR_MAX_PAGE", "7")
    with pytest.raises(ConfigurationError, match="no setting OCR_MAX_PAGE. Did you mean OCR_MAX_PAGES?"):
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
    ],
)
def test_wrong_value_is_refused_by_name(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name) as caught:
        load_settings()
    assert value not in str(caught.value)


def test_tesseracts_own_variable_names_its_data(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TESSDATA_PREFIX", "/data/tess")
    assert str(load_settings().ocr_tessdata_dir) == "/data/tess"


def test_secrets_do_not_show(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CLOUDRU_S3_SECRET_KEY", "not-a-real-secret")
    environment.setenv("CLOUDRU_S3_ACCESS_KEY", "tenant-id:key-id")
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

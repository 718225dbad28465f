"""The service's settings: read from the environment once, by whoever starts it, and passed on as values."""

import difflib
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ocr_service.engines import PADDLEOCR_VL, TESSERACT
from ocr_service.security.addresses import Allowlist
from ocr_service.security.api_keys import ApiKeys, parse_keys, parse_origins, read_keys

PREFIX = "OCR_"

# What Kubernetes sets in every container for a Service whose name begins with "ocr".
_SERVICE_LINK = re.compile(r"OCR(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_\w+)?)")

# The object storage is used when all of them are there.
_S3_SETTINGS = ("cloudru_s3_endpoint", "cloudru_s3_bucket", "cloudru_s3_access_key", "cloudru_s3_secret_key")
_PORTS = re.compile(r"[\s,]*[0-9]{1,5}([\s,]+[0-9]{1,5})*[\s,]*")

ImageFormat = Literal["jpeg", "png"]
LayoutEngine = Literal["paddle", "onnxruntime"]
AddressingStyle = Literal["path", "virtual"]
LogFormat = Literal["json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]
PipelineVersion = Literal["v1", "v1.5", "v1.6"]


class EngineChoice(StrEnum):
    """The values of OCR_ENGINE."""

    AUTO = "auto"
    TESSERACT = TESSERACT
    PADDLEOCR_VL = PADDLEOCR_VL


class ConfigurationError(Exception):
    """The environment holds a setting that cannot be used; the sentence names it, never a secret's value."""


class Settings(BaseSettings):
    """Every setting, with its default; the environment variable is the field's name in capitals."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    ocr_engine: EngineChoice = Field(
        EngineChoice.AUTO,
        description="Which engine reads pages. `auto`: PaddleOCR-VL if it is installed and there is a GPU "
        "or a vLLM server, else Tesseract.",
    )
    ocr_api_keys: SecretStr | None = Field(
        None,
        description="Keys of which a request must show one, joined by commas. Empty, and without a file of "
        "them: everybody may use the service.",
    )
    ocr_api_keys_file: Path | None = Field(
        None, description="File with such keys, one a line, as a Secret of Kubernetes is mounted."
    )
    ocr_metrics_public: bool = Field(False, description="Whether `/metrics` is answered without a key, too.")
    ocr_cors_origins: str | None = Field(
        None,
        description="Origins whose web pages may use the service from a browser, such as "
        "`https://app.example.com`, joined by commas; `*` for all. Empty: none.",
    )
    ocr_docs: bool = Field(
        True, description="Whether `/docs` and `/openapi.json` are there; neither asks for a key."
    )
    ocr_max_upload_mb: int = Field(50, ge=1, le=2048, description="Largest file accepted, in MiB.")
    ocr_url_allowlist: str | None = Field(
        None,
        description="What an `image_url` may lead to beside the public internet: host names, "
        "`*.example.com`, addresses and networks, joined by commas.",
    )
    ocr_url_ports: str = Field(
        "80,443", description="Ports that an `image_url` may lead to, joined by commas."
    )
    ocr_url_credentials: bool = Field(
        False, description="Whether an `image_url` may hold a user and a password."
    )
    ocr_url_connect_timeout: float = Field(
        10, gt=0, le=3600, description="Seconds for the look-up of its host's name, and for connecting to it."
    )
    ocr_url_read_timeout: float = Field(
        30, gt=0, le=3600, description="Seconds that the other side may send nothing."
    )
    ocr_url_timeout: float = Field(
        120, gt=0, le=3600, description="Seconds for fetching a document, redirects included."
    )
    ocr_max_page_megapixels: int = Field(
        100,
        ge=1,
        le=1000,
        description="Largest page accepted, in millions of pixels; PDF pages are rendered smaller to fit.",
    )
    ocr_max_pages: int = Field(500, ge=1, le=100_000, description="Most pages read in one request.")
    ocr_request_timeout: float = Field(
        300,
        gt=0,
        le=86_400,
        description="Seconds that a request may take once its document is here; a caller may ask for less.",
    )
    ocr_max_waiting: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Most requests of which no page is being read; further ones are refused at once.",
    )
    ocr_max_pages_in_flight: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Most pages decoded or being read at a time. Empty, or more: as many as keep the engine "
        "busy (48 for PaddleOCR-VL, its threads and one for Tesseract).",
    )
    ocr_max_megapixels_in_flight: int = Field(
        300,
        ge=1,
        le=100_000,
        description="Most millions of pixels of these pages together; each takes 5 to 10 bytes of memory, "
        "22 at worst. A larger page is read alone.",
    )
    ocr_max_documents_mb: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Most memory for the files of all requests, in MiB; requests beyond that are refused.",
    )
    ocr_header_timeout: float = Field(
        10, gt=0, le=3600, description="Seconds within which a request's headers must have come."
    )
    ocr_upload_idle_timeout: float = Field(30, gt=0, le=3600, description="Seconds that an upload may pause.")
    ocr_upload_min_rate: int = Field(
        10_000, ge=1, description="Bytes a second at which an upload must come, on the average."
    )
    ocr_answer_idle_timeout: float = Field(
        60, gt=0, le=3600, description="Seconds that a caller may read nothing of its answer."
    )
    ocr_drain_timeout: float = Field(
        30,
        ge=0,
        le=3600,
        description="Seconds that running requests may still take once the service is told to stop.",
    )
    ocr_stall_timeout: float = Field(
        10,
        gt=0,
        le=3600,
        description="Seconds for which the event loop may stand still before `/health/live` says so.",
    )
    ocr_pdf_dpi: int | None = Field(
        None,
        ge=36,
        le=1200,
        description="Pixels per inch at which PDF pages are rendered. Empty: the engine's own "
        "(300 for Tesseract, 144 for PaddleOCR-VL).",
    )
    ocr_lang: str = Field(
        "rus+eng",
        min_length=1,
        description="Languages Tesseract reads where a request names none, joined by `+`. "
        "One that is not installed stops the start.",
    )
    ocr_tesseract_threads: int | None = Field(
        None,
        ge=1,
        le=512,
        description="Pages Tesseract reads side by side. Empty: as many as the process may use cores.",
    )
    ocr_tessdata_dir: Path | None = Field(
        None,
        validation_alias=AliasChoices("OCR_TESSDATA_DIR", "TESSDATA_PREFIX"),
        description="Folder of Tesseract's `*.traineddata` files. Empty: `TESSDATA_PREFIX`, "
        "else where Debian puts them.",
    )
    ocr_pipeline_version: PipelineVersion = Field("v1.6", description="Release of the PaddleOCR-VL pipeline.")
    ocr_vlm_url: str | None = Field(
        None,
        repr=False,
        description="Address of the vLLM server's API. Empty: `http://127.0.0.1:8080/v1`. "
        "Setting it makes `auto` choose PaddleOCR-VL, if that is installed.",
    )
    ocr_vlm_not_started: str | None = Field(
        None,
        description="Why no vLLM server is started here; `start.sh` sets it, and `/health/vllm` shows it.",
    )
    ocr_vlm_api_key: SecretStr | None = Field(
        None, description="Key that the vLLM server asks for (its `--api-key`)."
    )
    ocr_vlm_timeout: float = Field(
        180, gt=0, le=3600, description="Seconds that the vLLM server may take for one block."
    )
    ocr_vlm_max_concurrency: int = Field(
        256, ge=1, le=4096, description="Most blocks at vLLM at a time; the others wait their turn."
    )
    ocr_vlm_image_format: ImageFormat = Field(
        "jpeg", description="How blocks travel to vLLM: `jpeg`, or `png` without loss, at six times the work."
    )
    ocr_vlm_jpeg_quality: int = Field(95, ge=1, le=100, description="Quality of these JPEGs.")
    ocr_layout_engine: LayoutEngine = Field(
        "paddle", description="What runs PaddleOCR-VL's layout model: `paddle` or `onnxruntime`."
    )
    ocr_device: str | None = Field(
        None,
        pattern=r"^(cpu|gpu(:\d+)?)$",
        description="Where it runs: `cpu`, `gpu` or `gpu:0`. Empty: the first GPU, else the CPU.",
    )
    ocr_use_doc_orientation_classify: bool = Field(
        False,
        description="Load the model that turns pages upright; it is then used where a request does not "
        "refuse it.",
    )
    ocr_use_doc_unwarping: bool = Field(
        False,
        description="Load the model that flattens photographed pages; it is then used where a request "
        "does not refuse it.",
    )
    ocr_preload: bool = Field(
        False, description="Build PaddleOCR-VL in the background at start, not with the first request."
    )
    ocr_url_s3: bool = Field(
        True,
        description="Whether `image_url` may name a document of the object storage's bucket: `s3://bucket/key`.",
    )
    ocr_cache_memory_mb: int = Field(
        128, ge=0, le=65_536, description="Results kept in memory, to answer repeated documents, in MiB."
    )
    ocr_cache_store: bool = Field(
        True,
        description="Keep them in the storage, too, below `cache/`: for other replicas, and after a restart.",
    )
    ocr_cache_lifetime: float = Field(
        604_800, ge=0, description="Seconds for which a result is kept; 0 keeps none."
    )
    ocr_log_level: LogLevel = Field("info", description="Least severe log lines that are written.")
    ocr_log_format: LogFormat = Field(
        "json",
        description="Form of log lines: `json`, an object a line, or `text`, for a person to read.",
    )
    ocr_output_dir: Path | None = Field(
        None,
        description="Folder for results where there is no object storage, and below it, in `spool`, for what "
        "waits for one that is away; `/app/output` in the image. Empty: nothing is written to disk.",
    )
    ocr_store_timeout: float = Field(
        5,
        gt=0,
        le=600,
        description="Seconds that a caller waits at most for the object storage to take the result.",
    )
    ocr_spool_max_mb: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Most that may wait for an object storage that is away, in MiB; "
        "replicas with one folder share it.",
    )
    cloudru_s3_endpoint: str | None = Field(
        None, description="Cloud.ru Object Storage: its address, `https://s3.cloud.ru`."
    )
    cloudru_s3_bucket: str | None = Field(None, description="Cloud.ru Object Storage: the bucket.")
    cloudru_s3_access_key: SecretStr | None = Field(
        None, description="Cloud.ru Object Storage: `<tenant_id>:<key_id>`."
    )
    cloudru_s3_secret_key: SecretStr | None = Field(
        None, description="Cloud.ru Object Storage: the key's secret."
    )
    cloudru_s3_region: str = Field(
        "ru-central-1", min_length=1, description="Cloud.ru Object Storage: the region."
    )
    cloudru_s3_prefix: str = Field(
        "ocr",
        pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?$",
        max_length=256,
        description="What the keys of all that is stored begin with; a slash follows it.",
    )
    cloudru_s3_addressing_style: AddressingStyle = Field(
        "path",
        description="Where the bucket's name stands in addresses: `path`, or `virtual` for the host's name.",
    )
    cloudru_s3_url_lifetime: int = Field(
        86400,
        ge=1,
        le=604_800,
        description="Seconds for which the addresses in an answer's `storage` can be fetched.",
    )

    @field_validator(*_S3_SETTINGS, mode="before")
    @classmethod
    def _without_line_end(cls, value: Any) -> Any:
        # A Secret of Kubernetes often holds the line end that an editor left in it.
        return (value.strip() or None) if isinstance(value, str) else value

    @field_validator("ocr_vlm_url", "cloudru_s3_endpoint")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            # Reading the port and encoding the name find what is wrong with them.
            name = (parts.hostname or "").encode("idna")
            if parts.scheme not in ("http", "https") or not name or parts.port == 0:
                raise ValueError("it must be an address such as http://127.0.0.1:8080/v1")
        return url

    @field_validator("ocr_api_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        _listed(keys)
        return keys

    @field_validator("ocr_api_keys_file")
    @classmethod
    def _holds_keys(cls, path: Path | None) -> Path | None:
        read_keys(path)
        return path

    @field_validator("ocr_cors_origins")
    @classmethod
    def _are_origins(cls, text: str | None) -> str | None:
        parse_origins(text or "")
        return text

    @field_validator("ocr_url_allowlist")
    @classmethod
    def _is_an_allowlist(cls, text: str | None) -> str | None:
        Allowlist.parse(text or "")
        return text

    @field_validator("ocr_url_ports")
    @classmethod
    def _are_ports(cls, text: str) -> str:
        if not _PORTS.fullmatch(text) or not all(1 <= port <= 65535 for port in _numbers(text)):
            raise ValueError("a port is a number from 1 to 65535")
        return text

    @property
    def api_keys(self) -> ApiKeys:
        """The keys, of both settings; none where everybody may use the service."""
        return ApiKeys(_listed(self.ocr_api_keys) + read_keys(self.ocr_api_keys_file))

    @property
    def cors_origins(self) -> list[str]:
        """The origins whose pages may use the service."""
        return parse_origins(self.ocr_cors_origins or "")

    @property
    def url_allowlist(self) -> Allowlist:
        """What may be fetched from beside the public internet."""
        return Allowlist.parse(self.ocr_url_allowlist or "")

    @property
    def url_ports(self) -> frozenset[int]:
        """The ports that may be fetched from."""
        return frozenset(_numbers(self.ocr_url_ports))

    @property
    def s3_configured(self) -> bool:
        """Whether all four settings of the object storage are there."""
        return all(getattr(self, name) is not None for name in _S3_SETTINGS)

    @property
    def s3_missing(self) -> list[str]:
        """Which of the four are missing while others are there."""
        missing = [name.upper() for name in _S3_SETTINGS if getattr(self, name) is None]
        return missing if len(missing) < len(_S3_SETTINGS) else []


def _listed(keys: SecretStr | None) -> list[str]:
    return [] if keys is None else parse_keys(keys.get_secret_value())


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"[0-9]+", text)]


def load_settings() -> Settings:
    """Read the settings from the environment; raises ConfigurationError for a wrong or an unknown one."""
    _refuse_unknown(os.environ)
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = [name.upper() for name in Settings.model_fields]
    for name in environment:
        if _is_ours(name.upper()) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise ConfigurationError(f"There is no setting {name}.{hint}")


def _is_ours(name: str) -> bool:
    return name.startswith(PREFIX) and not _SERVICE_LINK.fullmatch(name)


def _sentence(error: ValidationError) -> str:
    return "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())

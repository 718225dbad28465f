"""The preflight: each of its failures, with stand-ins for the driver, the machine, the models and vLLM."""

import json
import os
import struct
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pynvml
import pytest
import yaml

from ocr_service.preflight.findings import Finding, Outcome
from ocr_service.preflight.gpu import check_gpu
from ocr_service.preflight.machine import check_machine
from ocr_service.preflight.models import SUMS, check_models, layout_model
from ocr_service.preflight.server import check_servers
from ocr_service.preflight.vllm_command import VllmCommand, check_arguments
from tests.running import FAST, ROOT, RunningVllm, free_port, start_environment
from tests.stand_ins.nvml import StandInGpu, StandInNvml
from tests.start.test_machines import namespace

GIB = 2**30
COMMAND = VllmCommand(("/opt/vllm/bin/vllm", "serve", "model", "--gpu-memory-utilization", "0.5"))
Cuda = Callable[[str], Any]


class WorkingCuda:
    def __init__(self, name: str, code: int = 0) -> None:
        assert name == "libcuda.so.1"
        self._code = code

    def cuInit(self, flags: int) -> int:  # noqa: N802 - the name in CUDA
        return self._code


def broken_cuda(name: str) -> WorkingCuda:
    return WorkingCuda(name, 804)


def absent_cuda(name: str) -> WorkingCuda:
    raise OSError(name)


def gpu_findings(
    monkeypatch: pytest.MonkeyPatch, library: StandInNvml | None, cuda: Cuda = WorkingCuda, **settings: str
) -> dict[str, Finding]:
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    return {finding.check: finding for finding in check_gpu(COMMAND, settings, cuda)}


def test_suitable_gpu_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = gpu_findings(monkeypatch, StandInNvml(StandInGpu(size=24 * GIB, used=GIB)))
    assert [(check, str(finding.outcome), finding.detail) for check, finding in findings.items()] == [
        ("driver", "pass", "570.1"),
        ("CUDA", "pass", "12.8"),
        ("compute capability", "pass", "8.0 (Stand-in GPU)"),
        ("GPU memory", "pass", "23.0 of 24.0 GiB are free, and vLLM takes 12.0 GiB"),
    ]


def test_gpu_that_cuda_visible_devices_names_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    library = StandInNvml(StandInGpu(capability=(7, 0)), StandInGpu(size=24 * GIB, capability=(9, 0)))
    findings = gpu_findings(monkeypatch, library, CUDA_VISIBLE_DEVICES="1,0")
    assert findings["compute capability"].detail == "9.0 (Stand-in GPU)"


@pytest.mark.parametrize(
    ("gpus", "cuda_version", "cuda", "check", "detail"),
    [
        ([], 12_080, WorkingCuda, "driver", "the driver shows no GPU"),
        ([StandInGpu()], 12_040, WorkingCuda, "CUDA", "the driver supports CUDA 12.4"),
        ([StandInGpu(capability=(12, 0))], 12_080, WorkingCuda, "CUDA", "the driver supports CUDA 12.8"),
        ([StandInGpu()], 12_080, absent_cuda, "CUDA", "libcuda.so.1 is not in the container"),
        ([StandInGpu()], 12_080, broken_cuda, "CUDA", "it cannot be initialized: error 804"),
        ([StandInGpu(capability=(7, 5))], 12_080, WorkingCuda, "compute capability", "7.5 (Stand-in GPU)"),
        (
            [StandInGpu(size=24 * GIB, used=16 * GIB)],
            12_080,
            WorkingCuda,
            "GPU memory",
            "8.0 of 24.0 GiB are free, and vLLM takes 12.0 GiB",
        ),
        (
            [StandInGpu(size=6 * GIB)],
            12_080,
            WorkingCuda,
            "GPU memory",
            "6.0 of 6.0 GiB are free, and vLLM takes 3.0 GiB, which needs 4 (estimated)",
        ),
        (
            [StandInGpu(size=9 * GIB, used=3 * GIB)],
            12_080,
            WorkingCuda,
            "GPU memory",
            "6.0 of 9.0 GiB are free, and vLLM takes 4.5 GiB; "
            "the layout model needs 2 GiB beside it (estimated)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unsuitable_gpu_fails(
    monkeypatch: pytest.MonkeyPatch,
    gpus: list[StandInGpu],
    cuda_version: int,
    cuda: Cuda,
    check: str,
    detail: str,
) -> None:
    library = StandInNvml(*gpus)
    library.cuda = cuda_version
    finding = gpu_findings(monkeypatch, library, cuda)[check]
    assert (finding.outcome, finding.detail) == (Outcome.FAIL, detail) and finding.action


def test_gpu_that_is_not_there_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    [finding] = gpu_findings(monkeypatch, StandInNvml(StandInGpu()), CUDA_VISIBLE_DEVICES="1").values()
    assert finding.outcome is Outcome.FAIL
    assert finding.detail == "CUDA_VISIBLE_DEVICES names GPU 1, and the driver shows 1, from 0"


def test_missing_driver_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    library = StandInNvml()
    library.started = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    [finding] = gpu_findings(monkeypatch, library).values()
    assert (finding.check, finding.outcome) == ("driver", Outcome.FAIL)
    assert "Driver Not Loaded" in finding.detail and "--gpus all" in str(finding)


def safetensors(path: Path, lost_bytes: int = 0) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16 - lost_bytes))


def model_findings(folder: Path, weights: str = "PaddleOCR-VL-1.6") -> dict[str, Finding]:
    command = VllmCommand(("/opt/vllm/bin/vllm", "serve", str(folder / weights)))
    findings = check_models(command, {"MODELS_DIR": str(folder)})
    return {finding.check: finding for finding in findings}


def test_models_that_are_there_and_whole_pass(tmp_path: Path) -> None:
    safetensors(tmp_path / "PaddleOCR-VL-1.6/model.safetensors")
    (tmp_path / "PP-DocLayoutV3").mkdir()
    (tmp_path / "PP-DocLayoutV3/inference.yml").write_text("Global: {}")
    findings = model_findings(tmp_path)
    assert [str(finding.outcome) for finding in findings.values()] == ["pass", "pass", "skip"]
    with (tmp_path / SUMS).open("w") as sums:
        subprocess.run(["sha256sum", "PP-DocLayoutV3/inference.yml"], cwd=tmp_path, stdout=sums, check=True)
    assert model_findings(tmp_path)["hashes"].outcome is Outcome.PASS
    (tmp_path / "PP-DocLayoutV3/inference.yml").write_text("Global: []")
    assert "is damaged" in model_findings(tmp_path)["hashes"].detail
    (tmp_path / "PP-DocLayoutV3/inference.yml").unlink()
    assert "is missing" in model_findings(tmp_path)["hashes"].detail


def test_models_that_are_not_there_or_cut_off_fail(tmp_path: Path) -> None:
    assert "there is no folder" in model_findings(tmp_path)["VLM weights"].detail
    (tmp_path / "PaddleOCR-VL-1.6").mkdir()
    assert "there is no *.safetensors" in model_findings(tmp_path)["VLM weights"].detail
    safetensors(tmp_path / "PaddleOCR-VL-1.6/model.safetensors", lost_bytes=1)
    assert "is cut off" in model_findings(tmp_path)["VLM weights"].detail
    (tmp_path / "PP-DocLayoutV3").mkdir()
    (tmp_path / "PP-DocLayoutV3/inference.yml").touch()
    assert "is cut off" in model_findings(tmp_path)["layout model"].detail


def test_layout_model_of_another_release_or_format_does_not_count(tmp_path: Path) -> None:
    for other in ("PP-DocLayoutV2", "PP-DocLayoutV3_onnx"):
        (tmp_path / other).mkdir()
    assert model_findings(tmp_path)["layout model"].outcome is Outcome.SKIP


@pytest.mark.parametrize(("version", "release"), [("v1", ""), ("v1.5", "-1.5"), ("v1.6", "-1.6")])
def test_layout_model_is_that_of_the_official_pipeline(version: str, release: str) -> None:
    paddlex = find_spec("paddlex")
    assert paddlex is not None and paddlex.origin is not None
    pipelines = Path(paddlex.origin).with_name("configs") / "pipelines"
    pipeline = yaml.safe_load((pipelines / f"PaddleOCR-VL{release}.yaml").read_text())
    name = pipeline["SubModules"]["LayoutDetection"]["model_name"]
    settings = {"OCR_PIPELINE_VERSION": version}
    assert layout_model(settings) == name
    assert layout_model({**settings, "OCR_LAYOUT_ENGINE": "onnxruntime"}) == f"{name}_onnx"


def test_models_that_are_downloaded_later_are_skipped(tmp_path: Path) -> None:
    command = VllmCommand(("/opt/vllm/bin/vllm", "serve", "PaddlePaddle/PaddleOCR-VL-1.6"))
    findings = list(check_models(command, {"MODELS_DIR": str(tmp_path)}))
    assert [str(finding.outcome) for finding in findings] == ["skip", "skip"]


@pytest.mark.parametrize(
    ("script", "outcome", "detail"),
    [
        ("exit 0", Outcome.PASS, "model --max-model-len 9"),
        ("echo 'vllm serve: error: unrecognized: --x' >&2; exit 2", Outcome.FAIL, "error: unrecognized: --x"),
        (
            "echo 'ImportError: torch' >&2; exit 1",
            Outcome.FAIL,
            "vLLM cannot be imported: ImportError: torch",
        ),
        (None, Outcome.FAIL, "vLLM does not run"),
    ],
)
def test_arguments_of_vllm(tmp_path: Path, script: str | None, outcome: Outcome, detail: str) -> None:
    if script is not None:
        (tmp_path / "python").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "python").chmod(0o755)
    finding = check_arguments(VllmCommand((f"{tmp_path}/vllm", "serve", "model", "--max-model-len", "9")))
    assert finding.outcome is outcome and detail in finding.detail


def test_vllm_server_elsewhere() -> None:
    with RunningVllm(*FAST, "--api-key", "right") as vllm:
        [finding] = check_servers(vllm.api, {"OCR_VLM_API_KEY": "right"})
        assert (finding.outcome, finding.check) == (Outcome.PASS, "vLLM server")
        assert finding.detail == f"{vllm.api} serves PaddleOCR-VL-1.6-0.9B, with 16384 tokens a block"
        [finding] = check_servers(vllm.api, {"OCR_VLM_API_KEY": "wrong"})
        assert finding.detail.endswith("answers 401") and "OCR_VLM_API_KEY" in str(finding.action)
        vllm.serve_as("another-model")
        [finding] = check_servers(vllm.api, {"OCR_VLM_API_KEY": "right"})
        assert "serves no PaddleOCR-VL" in finding.detail
    [finding] = check_servers(f"http://127.0.0.1:{free_port()}/v1", {})
    assert "refused" in finding.detail


def test_several_vllm_servers_elsewhere() -> None:
    with RunningVllm(*FAST) as first, RunningVllm(*FAST) as second:
        absent = f"http://me:secret@127.0.0.1:{free_port()}/v1"
        findings = list(check_servers(f"{first.api}, {second.api},{absent}", {}))
        assert [finding.outcome for finding in findings] == [Outcome.PASS, Outcome.PASS, Outcome.FAIL]
        assert findings[2].check == "vLLM server 3" and "secret" not in str(findings[2])
        second.serve_as("PaddleOCR-VL-0.9B")
        *_, last = check_servers(f"{first.api},{second.api}", {})
        assert last.outcome is Outcome.FAIL
        assert last.detail == "they serve PaddleOCR-VL-0.9B, PaddleOCR-VL-1.6-0.9B"


def preflight(*options: str, prefix: tuple[str, ...] = (), **settings: str) -> tuple[int, dict[str, Any]]:
    """Run the preflight; return its exit code, and the outcome and the detail of each check."""
    run = subprocess.run(
        [*prefix, "./start.sh", "preflight", "--json", *options],
        cwd=ROOT,
        env={**os.environ, **start_environment(**settings)},
        capture_output=True,
        text=True,
    )
    report = json.loads(run.stdout)
    assert report["ready"] == (run.returncode == 0)
    return run.returncode, {check["check"]: (check["outcome"], check["detail"]) for check in report["checks"]}


def test_page_is_read_by_the_service() -> None:
    code, checks = preflight(OCR_ENGINE="tesseract")
    assert code == 0
    assert checks["GPU"] == ("skip", "vLLM is not started here: OCR_ENGINE=tesseract does not use it")
    outcome, detail = checks["one page"]
    assert outcome == "pass" and detail.startswith("read by tesseract in ")


def test_service_that_does_not_start_fails() -> None:
    code, checks = preflight(OCR_ENGINE="tesseract", OCR_LANG="tlh")
    assert (code, checks["one page"]) == (1, ("fail", "the service exited with 1"))


def test_invalid_setting_fails(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/vllm").touch(0o755)
    code, checks = preflight(VLLM_VENV=str(tmp_path), VLLM_EXTRA_ARGS="'")
    assert (code, checks["settings"]) == (1, ("fail", "VLLM_EXTRA_ARGS is not valid shell syntax"))


def test_small_and_noexec_folders_fail(tmp_path: Path) -> None:
    """A private mount namespace has the small folders."""
    mounts = "mount -t tmpfs -o size=1m tmpfs /dev/shm && mount -t tmpfs -o noexec tmpfs $HOME"
    prefix = (*namespace(), "sh", "-c", f'{mounts} && exec "$@"', "sh")
    settings = {"HOME": str(tmp_path), "VLLM_COMMAND": "vllm", "OCR_OUTPUT_DIR": "/proc"}
    code, checks = preflight("--no-page", prefix=prefix, **settings)
    assert code == 1
    assert checks["/dev/shm"] == ("fail", "1 MiB are free")
    assert checks[f"disk at {tmp_path}"] == ("fail", "it is mounted noexec")
    assert checks["disk at /proc"][0] == "fail"
    assert checks["vLLM arguments"][0] == checks["one page"][0] == "skip"


def test_folders_of_this_machine_pass(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "OCR_OUTPUT_DIR": str(tmp_path), "OCR_SPOOL_MAX_MB": "1"}
    # Other tests use some of /dev/shm, which can be small.
    findings = check_machine(environment, starts_vllm=True, shared_memory=tmp_path)
    assert {str(finding.outcome) for finding in findings} == {"pass"}
    [_, missing] = check_machine({"HOME": str(tmp_path / "no")}, starts_vllm=True)
    assert missing.detail == "no such file or directory"

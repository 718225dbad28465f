"""The NVIDIA driver, and the GPU that vLLM would use, as the driver describes them."""

import ctypes
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import Any

from ocr_service.preflight.findings import Finding, failed, passed, skipped
from ocr_service.preflight.vllm_command import VllmCommand

_GIB = 2**30
# A driver with a fault may never answer.
_DRIVER_SECONDS = 30.0
_NO_GPU = (
    "give the GPU to the container (`--gpus all`, or `nvidia.com/gpu: 1`), and run nvidia-smi on the host"
)
# CUDA of the wheels of Paddle; the wheels of torch need a driver for any CUDA 12.
_MIN_CUDA = (12, 6)
# GPUs with this capability or a later one are known to newer drivers only.
_BLACKWELL, _BLACKWELL_CUDA = (12, 0), (12, 9)
# As PaddleOCR requires for vLLM: older GPUs have no bfloat16 and no FlashAttention.
_MIN_CAPABILITY = (8, 0)
# Estimated: weights 1.8, the cache of 16384 tokens 0.3, activations and CUDA graphs 1.9.
_VLLM_GIB = 4.0
# Estimated, for the layout model with Paddle.
_LAYOUT_GIB = 2.0


@dataclass(frozen=True, slots=True)
class Driver:
    """The answers of NVML.

    driver: its version. cuda: the newest CUDA that it supports. free, total: bytes, 0 if it does not tell.
    """

    driver: str
    cuda: tuple[int, int]
    name: str
    capability: tuple[int, int]
    free: int
    total: int


def check_gpu(
    command: VllmCommand,
    environment: Mapping[str, str] = os.environ,
    load_cuda: Callable[[str], Any] = ctypes.CDLL,
) -> Iterator[Finding]:
    """Check the first GPU, or the one that CUDA_VISIBLE_DEVICES names."""
    visible = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    try:
        gpu = _in_time(lambda: _ask_driver(int(visible) if visible.isdecimal() else 0))
    except Exception as error:  # NVMLError has a class for each code
        yield failed("driver", str(error) or type(error).__name__, _NO_GPU)
        return
    yield passed("driver", gpu.driver)
    yield _check_cuda(gpu, load_cuda)
    yield _check_capability(gpu)
    yield _check_memory(gpu, command, environment)


def _in_time(query: Callable[[], Driver]) -> Driver:
    """Return the answer; raises TimeoutError after a while, and the errors of the query."""
    answers: list[Driver] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(query())
        except Exception as error:
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(_DRIVER_SECONDS)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError("the driver does not answer")
    return answers[0]


def _ask_driver(index: int) -> Driver:
    import pynvml

    pynvml.nvmlInit()
    count = pynvml.nvmlDeviceGetCount()
    if count == 0:
        raise LookupError("the driver shows no GPU")
    if index >= count:
        raise LookupError(f"CUDA_VISIBLE_DEVICES names GPU {index}, and the driver shows {count}, from 0")
    gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
    cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(gpu)
        free, total = memory.free, memory.total
    except pynvml.NVMLError_NotSupported:  # the GPU shares the memory of the CPU
        free, total = 0, 0
    return Driver(
        driver=pynvml.nvmlSystemGetDriverVersion(),
        cuda=(cuda // 1000, cuda % 1000 // 10),
        name=pynvml.nvmlDeviceGetName(gpu),
        capability=pynvml.nvmlDeviceGetCudaComputeCapability(gpu),
        free=free,
        total=total,
    )


def _check_cuda(gpu: Driver, load_cuda: Callable[[str], Any]) -> Finding:
    needed = _BLACKWELL_CUDA if gpu.capability >= _BLACKWELL else _MIN_CUDA
    version = _dotted(gpu.cuda)
    if gpu.cuda < needed:
        action = f"install a driver for CUDA {_dotted(needed)} or newer on the host"
        return failed("CUDA", f"the driver supports CUDA {version}", action)
    try:
        code = load_cuda("libcuda.so.1").cuInit(0)
    except OSError:
        action = "start the container with the NVIDIA runtime, and NVIDIA_DRIVER_CAPABILITIES=compute,utility"
        return failed("CUDA", "libcuda.so.1 is not in the container", action)
    if code != 0:
        action = "restart the container; if that does not help, restart the host or its driver"
        return failed("CUDA", f"it cannot be initialized: error {code}", action)
    return passed("CUDA", version)


def _check_capability(gpu: Driver) -> Finding:
    detail = f"{_dotted(gpu.capability)} ({gpu.name})"
    if gpu.capability < _MIN_CAPABILITY:
        action = (
            "use a GPU with compute capability 8.0 or higher (Ampere or newer), such as A10, L4 or RTX 3060"
        )
        return failed("compute capability", detail, action)
    return passed("compute capability", detail)


def _check_memory(gpu: Driver, command: VllmCommand, environment: Mapping[str, str]) -> Finding:
    if gpu.total == 0:
        return skipped("GPU memory", "the driver does not tell it")
    share = float(command.option("--gpu-memory-utilization", "0.9"))
    asked, free, total = share * gpu.total / _GIB, gpu.free / _GIB, gpu.total / _GIB
    detail = f"{free:.1f} of {total:.1f} GiB are free, and vLLM takes {asked:.1f} GiB"
    if asked > free:
        action = (
            f"end the other processes on the GPU, or set VLLM_GPU_MEMORY_UTILIZATION below {free / total:.2f}"
        )
        return failed("GPU memory", detail, action)
    if asked < _VLLM_GIB:
        action = f"set VLLM_GPU_MEMORY_UTILIZATION to {_VLLM_GIB / total:.2f} or more"
        if total < _VLLM_GIB + _LAYOUT_GIB:
            action = "use a GPU with 8 GB or more"
        return failed("GPU memory", f"{detail}, which needs {_VLLM_GIB:g} (estimated)", action)
    if _layout_uses_gpu(environment) and free - asked < _LAYOUT_GIB:
        action = "lower VLLM_GPU_MEMORY_UTILIZATION, or set OCR_DEVICE=cpu"
        detail += f"; the layout model needs {_LAYOUT_GIB:g} GiB beside it (estimated)"
        return failed("GPU memory", detail, action)
    return passed("GPU memory", detail)


def _layout_uses_gpu(environment: Mapping[str, str]) -> bool:
    is_paddle = environment.get("OCR_LAYOUT_ENGINE", "paddle") == "paddle"
    return is_paddle and environment.get("OCR_DEVICE") != "cpu"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"

"""A stand-in for NVIDIA's NVML library: the real pynvml calls it through its C interface."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import pynvml


@dataclass(frozen=True)
class StandInGpu:
    """One GPU.

    utilization: in percent, None if unsupported. used, size: memory in bytes. lost: every call fails.
    capability: compute capability.
    """

    utilization: int | None = 0
    used: int = 0
    size: int = 0
    lost: bool = False
    capability: tuple[int, int] = (8, 0)


class StandInNvml:
    """Replaces `libnvidia-ml.so.1` in pynvml.

    started: return code of the initialization. answers: while it is not set, calls block. cuda: version that
    the driver supports, such as 12080 for 12.8.
    """

    def __init__(self, *gpus: StandInGpu) -> None:
        self.started = pynvml.NVML_SUCCESS
        self.cuda = 12_080
        self.answers = Event()
        self.answers.set()
        self._gpus = gpus
        self._functions: dict[str, Callable[..., int | None]] = {
            "nvmlInitWithFlags": lambda _: self.started,
            "nvmlDeviceGetCount_v2": self._count,
            "nvmlDeviceGetHandleByIndex_v2": self._handle,
            "nvmlDeviceGetUtilizationRates": self._utilization,
            "nvmlDeviceGetMemoryInfo": self._memory,
            "nvmlSystemGetDriverVersion": lambda text, _: _write(text, b"570.1"),
            "nvmlSystemGetCudaDriverVersion_v2": self._cuda,
            "nvmlDeviceGetName": lambda _, text, __: _write(text, b"Stand-in GPU"),
            "nvmlDeviceGetCudaComputeCapability": self._capability,
        }

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name not in self._functions:
            raise AttributeError(name)

        def call(*arguments: Any) -> int:
            assert self.answers.wait(60)
            return self._functions[name](*arguments) or pynvml.NVML_SUCCESS

        return call

    def _count(self, count: Any) -> None:
        count._obj.value = len(self._gpus)

    def _handle(self, index: Any, handle: Any) -> int | None:
        if self._gpus[index.value].lost:
            return int(pynvml.NVML_ERROR_GPU_IS_LOST)
        # A handle is never null.
        ctypes.c_void_p.from_buffer(handle._obj).value = index.value + 1
        return None

    def _utilization(self, handle: Any, rates: Any) -> int | None:
        percent = self._of(handle).utilization
        if percent is None:
            return int(pynvml.NVML_ERROR_NOT_SUPPORTED)
        rates._obj.gpu = percent
        return None

    def _memory(self, handle: Any, memory: Any) -> None:
        gpu = self._of(handle)
        memory._obj.used, memory._obj.total = gpu.used, gpu.size
        memory._obj.free = gpu.size - gpu.used

    def _cuda(self, version: Any) -> None:
        version._obj.value = self.cuda

    def _capability(self, handle: Any, major: Any, minor: Any) -> None:
        major._obj.value, minor._obj.value = self._of(handle).capability

    def _of(self, handle: Any) -> StandInGpu:
        return self._gpus[(ctypes.cast(handle, ctypes.c_void_p).value or 0) - 1]


def _write(buffer: Any, text: bytes) -> None:
    buffer.value = text

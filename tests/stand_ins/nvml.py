"""A stand-in for NVIDIA's NVML library: the real pynvml calls it through its C interface."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any

import pynvml


@dataclass(frozen=True)
class StandInGpu:
    """utilization: in percent, None if unsupported. used, size: memory in bytes. lost: every call fails."""

    utilization: int | None = 0
    used: int = 0
    size: int = 0
    lost: bool = False


class StandInNvml:
    """Replaces `libnvidia-ml.so.1` in pynvml.

    started: return code of the initialization. answers: while it is not set, calls block.
    """

    def __init__(self, *gpus: StandInGpu) -> None:
        self.started = pynvml.NVML_SUCCESS
        self.answers = Event()
        self.answers.set()
        self._gpus = gpus
        self._functions: dict[str, Callable[..., int | None]] = {
            "nvmlInitWithFlags": lambda _: self.started,
            "nvmlDeviceGetCount_v2": self._count,
            "nvmlDeviceGetHandleByIndex_v2": self._handle,
            "nvmlDeviceGetUtilizationRates": self._utilization,
            "nvmlDeviceGetMemoryInfo": self._memory,
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

    def _of(self, handle: Any) -> StandInGpu:
        return self._gpus[(ctypes.cast(handle, ctypes.c_void_p).value or 0) - 1]

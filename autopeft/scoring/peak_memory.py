"""The peak of memory while something runs, above what was held when it began."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def watched(work: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """What the work gives, and its peak in bytes: allocated on a GPU, resident on a Linux CPU.

    NaN where the system does not tell. Memory that the process held on to before the work began
    and uses again is not seen in resident memory, so that a small number may mean none.
    """
    if device.type == "cuda":
        return _on_gpu(work, device)
    with suppress(OSError):
        CLEAR.write_text(RESET_PEAK)
    before = _resident("VmRSS")
    result = work()
    return result, _resident("VmHWM") - before


def _on_gpu(work: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    import torch

    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    result = work()
    return result, float(torch.cuda.max_memory_allocated(device) - before)


def _resident(name: str) -> float:
    """A line of the process's status, in bytes; NaN when it is not there."""
    lines = STATUS.read_text().splitlines() if STATUS.is_file() else []
    for line in lines:
        if line.startswith(f"{name}:"):
            return 1024.0 * int(line.split()[1])
    return float("nan")

"""How much memory a device has to spare for a pack."""

from __future__ import annotations

from pathlib import Path

import torch

SHARE = {"cpu": 0.5, "cuda": 0.9}
"""Of what is free: a CPU's memory serves other programs too."""


def room(device: torch.device) -> int:
    """Bytes that a pack may take; 0 where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
    else:
        free = available(Path("/proc/meminfo"))
    return int(SHARE.get(device.type, SHARE["cpu"]) * free)


def available(meminfo: Path) -> int:
    """`MemAvailable` of Linux in bytes (proc(5)); 0 where there is none."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return 1024 * int(found[0]) if found else 0

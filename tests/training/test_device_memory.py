"""Room for packs is read from the system."""

from __future__ import annotations

from pathlib import Path

import torch

from autopeft.training import device_memory


def test_available_memory_is_read_in_bytes(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:  100 kB\nMemFree:  1 kB\nMemAvailable:      40 kB\n")
    assert device_memory.available(file) == 40 * 1024


def test_a_system_that_does_not_say_sets_no_limit(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\n")
    assert device_memory.available(tmp_path / "meminfo") == 0
    assert device_memory.available(tmp_path / "none") == 0


def test_a_pack_leaves_memory_to_others() -> None:
    room = device_memory.room(torch.device("cpu"))
    assert 0 <= room <= 0.6 * device_memory.available(Path("/proc/meminfo"))

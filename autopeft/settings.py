"""What a search is asked to do: every option of `autopeft search`, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from autopeft.errors import UsageError

PROXIES = ("short", "none")
FULL_EPOCHS = 3
"""Of a training that stands for nothing else, as in Hugging Face's Trainer."""
QUICKSTART_STEPS = 60
STEPS = {"cpu": 100, "cuda": 300}
QUICKSTART_LENGTH = 32
LENGTH = 128
TRIALS = {"cpu": 18, "cuda": 64}


@dataclass(frozen=True)
class Settings:
    """One search. What is part of the study (see `protocol`) may not change when it resumes."""

    model: str = ""
    """Hub id or folder; empty for the quickstart model."""
    dataset: str = ""
    """Hub id, file or folder; empty for docstring origin."""
    text: tuple[str, ...] = ()
    label: str = ""
    task: str = "auto"
    metric: str = ""
    space: str = "mixed"
    objectives: tuple[str, ...] = ("accuracy", "trainable_parameters", "peak_memory")
    budget: float = 100.0
    """Percent of the backbone's parameters."""
    memory: int = 0
    """Largest peak memory in bytes; 0 for no limit."""
    sampler: str = "gp"
    warm_start: str = ""
    """Path of an earlier study whose scores guide this one; empty for none."""
    trials: int = 0
    """0 for the device's default."""
    timeout: float = 0.0
    """Seconds after which no new pack is started; 0 for none."""
    seeds: int = 1
    seed: int = 0
    proxy: str = "short"
    """What stands for a full training: a `short` one or `none`."""
    steps: int = 0
    batch: int = 16
    length: int = 0
    train_batch: int = 0
    """Rows for which peak memory is stated; 0 for `batch`."""
    train_length: int = 0
    train_precision: str = ""
    """Of the frozen weights in the training that memory is stated for; empty for `dtype`."""
    gradient_checkpointing: bool = False
    """Whether that training computes layers again instead of keeping what they made."""
    validation_rows: int = 400
    train_rows: int = 0
    pack: int = 0
    """Largest number of configurations in a pack; 0 to measure what pays."""
    early_stopping: bool = True
    """Whether what has lost its chance to end on the front is stopped at a rung."""
    confirm: bool = True
    """Whether what matters most is trained anew at the end, on the report split."""
    trunk_cache: int = 10**9
    """Most bytes for the frozen trunk's outputs, kept between epochs and packs; 0 for none."""
    trunk_folder: str = ""
    """Folder of the file that holds them; empty for memory."""
    device: str = ""
    dtype: str = ""
    offline: bool = False

    def __post_init__(self) -> None:
        for name in ("trials", "seeds", "steps", "batch", "length", "pack", "train_batch"):
            value = getattr(self, name)
            least = 1 if name in ("seeds", "batch") else 0
            if value < least:
                option = name.replace("_", "-")
                raise UsageError(f"`--{option} {value}` must be a whole number above 0")
        if self.proxy not in PROXIES:
            raise UsageError(
                f"unknown proxy `{self.proxy}`", hint=f"there are {', '.join(PROXIES)}"
            )

    def protocol(self) -> dict[str, Any]:
        """What decides the results, as plain data: equal for every run of one study."""
        free = {"trials", "timeout", "confirm", "device", "offline", "trunk_folder"}
        return {k: _plain(v) for k, v in asdict(self).items() if k not in free}

    @staticmethod
    def restored(data: Mapping[str, Any]) -> Settings:
        """Settings from the plain data of a study."""
        known = {f.name for f in fields(Settings)}
        given: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known
        }
        return Settings(**given)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

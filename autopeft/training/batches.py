"""Tokenised splits, and the one data order that every configuration of a study shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from autopeft import digest
from autopeft.training.trunk_cache import Rows
from autopeft.types import Examples

PAD_MULTIPLE = {"cpu": 1, "cuda": 8}
RUN = 8
"""Batches whose rows are sorted by length together."""


@dataclass(frozen=True)
class Split:
    """A tokenised split."""

    rows: tuple[dict[str, list[int]], ...]
    labels: torch.Tensor
    """[rows], on the CPU; class indices or numbers."""
    tokenizer: Any
    device: torch.device
    name: str = ""
    """Which split of the study it is; rows of an unnamed one are never cached."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row["input_ids"]) for row in self.rows]

    def batch(self, indices: list[int]) -> dict[str, torch.Tensor]:
        """Those rows padded to the longest of them, on the device."""
        padded = self.tokenizer.pad(
            [self.rows[i] for i in indices],
            padding=True,
            pad_to_multiple_of=PAD_MULTIPLE[self.device.type],
            return_tensors="pt",
        )
        return {name: value.to(self.device) for name, value in padded.items()}

    def source(self, indices: list[int]) -> Rows | None:
        """Where the rows of a batch are from; None where padding moves their positions."""
        if not self.name or self.tokenizer.padding_side != "right":
            return None
        return Rows(self.name, indices, [len(self.rows[i]["input_ids"]) for i in indices])

    def by_length(self, size: int, rows: Sequence[int]) -> Iterator[list[int]]:
        """The indices `rows` in batches of rows of similar length."""
        lengths = self.lengths
        order = sorted(rows, key=lambda i: lengths[i])
        for start in range(0, len(order), size):
            yield order[start : start + size]


def sample(rows: int, most: int) -> list[int]:
    """At most so many indices of a split of that many rows, at equal distances."""
    count = min(rows, most)
    return [i * rows // count for i in range(count)]


def tokenize(
    examples: Examples,
    tokenizer: Any,
    *,
    length: int,
    classes: bool,
    device: torch.device,
    name: str = "",
) -> Split:
    """The split as tokens, cut to `length` tokens."""
    columns = list(zip(*examples.texts, strict=True))
    encoded = tokenizer(*map(list, columns), truncation=True, max_length=length)
    rows = tuple({name: encoded[name][i] for name in encoded} for i in range(len(examples)))
    kind = torch.long if classes else torch.float32
    return Split(rows, torch.tensor(examples.labels, dtype=kind), tokenizer, device, name)


def order(lengths: Sequence[int], size: int, steps: int, *, seed: int) -> Iterator[list[int]]:
    """`steps` batches of `size` indices: epoch after epoch, each in a new order of the seed.

    Rows are sorted by length within runs of a few batches, so that little is padding; the batches
    of a run come in random order. What is left over of an epoch begins the next.
    """
    pool: list[int] = []
    epoch = 0
    done = 0
    while done < steps:
        while len(pool) < size * RUN:
            generator = torch.Generator().manual_seed(digest.seed_of(seed, "epoch", epoch))
            pool += torch.randperm(len(lengths), generator=generator).tolist()
            epoch += 1
        run = sorted(pool[: size * RUN], key=lambda i: lengths[i])
        pool = pool[size * RUN :]
        generator = torch.Generator().manual_seed(digest.seed_of(seed, "run", done))
        for start in torch.randperm(RUN, generator=generator).tolist()[: steps - done]:
            yield run[start * size : (start + 1) * size]
            done += 1

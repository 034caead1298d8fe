"""Configurations put together from their layers, many at once: the level of memory over a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autopeft.training.layer_memory import LayerMemory, Surroundings
from autopeft.training.layer_recorder import Key, Pairs, Position, Recorder
from autopeft.training.period import SHARED_BITS, Period, rounded

Numbers = NDArray[np.int64]
Row = tuple[int, ...]
KEEPS_OUTPUT, KEEPS_INPUT, ENTERED, SHARED, COUNT, TRAINED, LARGEST, BUFFERS = range(8)
"""Columns of what is known of a layer in its position."""


@dataclass(frozen=True)
class Content:
    """What is placed in one layer."""

    kind: int
    """Index of the first layer that is built alike."""
    pairs: Pairs
    sizes: tuple[int, ...]
    inside: bool
    """Whether anything is placed inside the layer and not only on its output."""


@dataclass(frozen=True)
class Step:
    """One training step of each of N configurations, in bytes [N]."""

    most: Numbers
    """At the peak before the optimiser, above what was there when the step began."""
    end: Numbers
    """Where the optimiser begins."""
    count: Numbers
    """Number of trained tensors."""
    trained: Numbers
    largest: Numbers
    """Of the trained tensors."""
    buffers: Numbers


@dataclass
class LayerStack:
    """The layers of one model; what each allocates is recorded when it is first met.

    Raises (all methods but `number`):
        UsageError: what the model allocates depends on its data.
        NotComposable: layers cannot be told apart.
    """

    recorder: Recorder
    block: int
    """Bytes that the allocator rounds up to."""
    contents: list[Content] = field(default_factory=list)
    _numbers: dict[Content, int] = field(default_factory=dict)
    _memory: dict[Key, LayerMemory] = field(default_factory=dict)
    _around: dict[bool, Surroundings] = field(default_factory=dict)
    _found: dict[tuple[str, int], Row] = field(default_factory=dict)

    def number(self, content: Content) -> int:
        """The number that stands for the content of a layer."""
        if content not in self._numbers:
            self._numbers[content] = len(self.contents)
            self.contents.append(content)
        return self._numbers[content]

    def step(self, contents: Numbers) -> Step:
        """The steps of configurations, given the number of each layer's content [N, layers]."""
        codes = contents * len(Position) + self._positions(contents)
        facts = self._looked_up("fact", codes, self._fact)
        amounts = np.zeros((len(codes), 2 * codes.shape[1] + 3, 2), dtype=np.int64)
        head = np.zeros((len(codes), 3), dtype=np.int64)
        for entered in (False, True):
            rows = facts[:, -1, ENTERED] == entered
            if rows.any():
                around = self._surroundings(self.contents[contents[rows][0, -1]].kind, entered)
                amounts[rows] = self._timeline(codes[rows], facts[rows], around)
                head[rows] = _tensors([rounded(size, self.block) for size in around.head])
        after = amounts[:, :, 1].cumsum(axis=1)
        before = np.pad(after, ((0, 0), (1, 0)))[:, :-1]
        return Step(
            np.maximum(0, (before + amounts[:, :, 0]).max(axis=1)),
            after[:, -1],
            facts[:, :, COUNT].sum(axis=1) + head[:, 0],
            facts[:, :, TRAINED].sum(axis=1) + head[:, 1],
            np.maximum(facts[:, :, LARGEST].max(axis=1), head[:, 2]),
            facts[:, :, BUFFERS].sum(axis=1),
        )

    def _positions(self, contents: Numbers) -> Numbers:
        """Where each layer is to the lowest one that a configuration changes [N, layers]."""
        layers = np.arange(contents.shape[1])
        offsets = self._looked_up("offset", contents, lambda n: (_offset(self.contents[n]),))
        entries = np.where(offsets[:, :, 0] < 0, len(layers), layers + offsets[:, :, 0])
        entry = entries.min(axis=1)[:, None]
        places = [layers < entry - 1, layers == entry - 1, layers == entry]
        found: Numbers = np.select(places, list(Position)[:3], Position.ENTERED)
        return found

    # --- over time ----------------------------------------------------------------------------

    def _timeline(self, codes: Numbers, facts: Numbers, around: Surroundings) -> Numbers:
        """(peak, change) of every stretch of a step in order [N, stretches, 2]."""
        held = facts[:, :, SHARED].copy()
        if around.input >= 0:
            held[:, 0] |= facts[:, 0, KEEPS_INPUT] << around.input
        so_far = np.bitwise_or.accumulate(held, axis=1)
        released = held & ~np.pad(so_far, ((0, 0), (1, 0)))[:, :-1]
        free = ((1 << around.count) - 1) & ~so_far[:, -1]
        # What a layer reads goes where it lets go of it, unless the layer below keeps it.
        inputs = np.pad(1 - facts[:, :, KEEPS_OUTPUT], ((0, 0), (1, 0)), constant_values=1)
        last = inputs[:, -1]
        backward = self._layers("backward", codes, inputs[:, :-1], released)
        inputs[:, 0] = not around.keeps_input
        forward = self._layers("forward", codes, inputs[:, :-1], np.zeros_like(codes))
        before, top, after = (
            self._outside(around, name, last, free)[:, None] for name in ("before", "top", "after")
        )
        return np.concatenate([before, forward, top, backward[:, ::-1], after], axis=1)

    def _layers(self, direction: str, codes: Numbers, inputs: Numbers, shared: Numbers) -> Numbers:
        """(peak, change) of layers, given what is released in them."""

        def amount(key: int) -> Row:
            code, inputs, shared = _taken_apart(key)
            content, memory = self._layer(code)
            period: Period = getattr(memory, direction)
            return period.amount(content.sizes, self.block, inputs=bool(inputs), shared=shared)

        return self._looked_up(direction, _one_number(codes, inputs, shared), amount)

    def _outside(
        self, around: Surroundings, name: str, inputs: Numbers, shared: Numbers
    ) -> Numbers:
        def amount(key: int) -> Row:
            _, inputs, shared = _taken_apart(key)
            period: Period = getattr(around, name)
            return period.amount((), self.block, inputs=bool(inputs), shared=shared)

        keys = _one_number(np.zeros_like(inputs), inputs, shared)
        return self._looked_up(f"{name} {around.entered}", keys, amount)

    # --- recordings ---------------------------------------------------------------------------

    def _fact(self, code: int) -> Row:
        """What is known of a layer in its position, by column."""
        content, memory = self._layer(code)
        entered = code % len(Position) != Position.TRUNK_END or bool(content.pairs)
        trained, buffers = memory.static(content.sizes, self.block)
        flags = (memory.keeps_output, memory.keeps_input, entered, memory.backward.shared)
        return (*map(int, flags), *_tensors(trained), buffers)

    def _layer(self, code: int) -> tuple[Content, LayerMemory]:
        number, position = divmod(code, len(Position))
        content = self.contents[number]
        key = Key(content.kind, Position(position), content.pairs)
        if key not in self._memory:
            self._memory[key] = self.recorder.layer(key)
        return content, self._memory[key]

    def _surroundings(self, kind: int, entered: bool) -> Surroundings:
        if entered not in self._around:
            self._around[entered] = self.recorder.around(kind, entered)
        return self._around[entered]

    def _looked_up(self, what: str, keys: Numbers, find: Callable[[int], Row]) -> Numbers:
        """The rows of many keys, each found once [*keys, columns]."""
        different, which = np.unique(keys, return_inverse=True)
        rows = []
        for key in different.tolist():
            if (what, key) not in self._found:
                self._found[what, key] = find(key)
            rows.append(self._found[what, key])
        found: Numbers = np.array(rows, dtype=np.int64)[which.reshape(keys.shape)]
        return found


def _offset(content: Content) -> int:
    """How far above its layer a content has its first effect; -1 for none."""
    if not content.pairs:
        return -1
    return 0 if content.inside else 1


def _tensors(sizes: Sequence[int]) -> Row:
    """(count, bytes together, bytes of the largest)."""
    return len(sizes), sum(sizes), max(sizes, default=0)


def _one_number(codes: Numbers, inputs: Numbers, shared: Numbers) -> Numbers:
    return (codes * 2 + inputs << SHARED_BITS) + shared


def _taken_apart(key: int) -> tuple[int, int, int]:
    """(layer, whether its input is released, shared storages that are)."""
    rest, shared = divmod(key, 1 << SHARED_BITS)
    return rest // 2, rest % 2, shared

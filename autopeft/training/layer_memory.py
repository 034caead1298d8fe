"""What one layer allocates and releases in a training step, as a function of its module sizes.

A layer is recorded once (`period`); one with other sizes costs one sum. Storages on the border of
two layers are released by whichever keeps them longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from autopeft.training.live_storages import Event
from autopeft.training.memory_trace import BEFORE, TOP, Segment, Trace
from autopeft.training.period import SHARED_BITS, Item, NotComposable, Owner, Period, affine


@dataclass(frozen=True)
class LayerMemory:
    """One kind of layer with modules of one set of types, entered or not by a gradient."""

    forward: Period
    backward: Period
    parameters: Period
    buffers: Period
    output: int
    """Number of the storage of what the layer gives."""
    given_gradient: int
    """Number of the storage of the gradient it hands down, -1 when it hands none."""

    @property
    def keeps_output(self) -> bool:
        """Whether the layer itself holds what it gives until its backward pass."""
        return self.backward.releases("own", self.output)

    @property
    def keeps_input(self) -> bool:
        """Whether it holds what it reads until its backward pass."""
        return self.backward.releases("input")

    def static(self, sizes: Sequence[int], block: int) -> tuple[list[int], int]:
        """Bytes of each trained tensor, and of all buffers."""
        trained, buffers = (p.bytes(sizes, block).tolist() for p in (self.parameters, self.buffers))
        return trained, sum(buffers)


@dataclass(frozen=True)
class Surroundings:
    """What happens before the first layer and above the last one."""

    entered: bool
    """Whether a gradient flows into the last layer."""
    before: Period
    top: Period
    input: int
    """Among the shared storages: what the first layer reads; -1 when that is none of them."""
    count: int
    """Number of shared storages: those from before the layers."""
    head: tuple[int, ...]
    """Bytes of each trained tensor of the head."""
    after: Period
    """Releases right before the optimiser, of what the call of the backward pass held."""

    @property
    def keeps_input(self) -> bool:
        """Whether what the first layer reads is held until the loss is computed."""
        return self.top.releases("shared", self.input)


def layer_memory(trace: Trace, layer: int) -> LayerMemory:
    """Extract one layer of a recording.

    Raises:
        NotComposable: it releases what another layer allocated, or a size is not affine.
    """
    owners = _owners(trace)
    shared = _shared(trace)

    def items(segment: Segment) -> Period:
        return Period(
            tuple(
                _item(e, trace, layer, owners, shared)
                for e in trace.segments.get(segment, ())
                if not _belongs_to_call(e, trace, owners)
            )
        )

    key = f"{layer}."
    parts = [
        part for name, part in trace.pack.layers.items() if name.replace("/", ".").startswith(key)
    ]
    return LayerMemory(
        items(("forward", layer)),
        items(("backward", layer)),
        Period(tuple(_fixed(t) for part in parts for t in part.parameters())),
        Period(tuple(_fixed(t) for part in parts for t in part.buffers())),
        trace.outputs[layer],
        trace.gradients.get(layer - 1, -1),
    )


def surroundings(trace: Trace) -> Surroundings:
    """Extract what is outside the layers; no layer of the recording may hold shared storages."""
    owners, shared = _owners(trace), _shared(trace)
    last = max(trace.outputs)

    def items(segment: Segment) -> tuple[Item, ...]:
        return tuple(
            _item(e, trace, last + 1, owners, shared) for e in trace.segments.get(segment, ())
        )

    first = shared.get(trace.inputs[0], -1)
    head = tuple(p.numel() * p.element_size() for p in trace.pack.head.parameters())
    after = tuple(
        Item("own", e.storage, -1, e.bytes, 0, -1)
        for e in trace.segments.get(("backward", last), ())
        if _belongs_to_call(e, trace, owners)
    )
    entered = last in trace.gradients
    return Surroundings(
        entered, Period(items(BEFORE)), Period(items(TOP)), first, len(shared), head, Period(after)
    )


def _belongs_to_call(event: Event, trace: Trace, owners: dict[int, Segment]) -> bool:
    """Whether a release in a backward pass is of what the loss made and no layer read."""
    made_above = owners[event.storage] == TOP and event.storage not in trace.gradients.values()
    return event.sign < 0 and made_above


def _owners(trace: Trace) -> dict[int, Segment]:
    return {e.storage: s for s, events in trace.segments.items() for e in events if e.sign > 0}


def _shared(trace: Trace) -> dict[int, int]:
    """Storages from before the layers that are there at their end, numbered in order.

    Raises:
        NotComposable: there are too many.
    """
    there = dict.fromkeys(e.storage for e in trace.segments[BEFORE] if e.sign > 0)
    gone = {e.storage for e in trace.segments[BEFORE] if e.sign < 0}
    shared = {storage: index for index, storage in enumerate(s for s in there if s not in gone)}
    if len(shared) > SHARED_BITS:
        raise NotComposable(f"{len(shared)} storages serve all layers")
    return shared


def _item(
    event: Event,
    trace: Trace,
    layer: int,
    owners: dict[int, Segment],
    shared: dict[int, int],
) -> Item:
    """The event from the layer's point of view; the top is the layer above the last."""
    owner: Owner = "own"
    number = event.storage
    source = owners[number]
    below = trace.outputs.get(layer - 1) if layer else trace.inputs[0]
    if event.sign < 0:
        if number == below:
            owner = "input"
        elif number == trace.gradients.get(layer):
            owner = "gradient"
        elif number in shared:
            owner, number = "shared", shared[number]
        elif source not in _own_segments(layer, trace):
            raise NotComposable(f"{source} is released in layer {layer}")
    constant, slope, module = affine(event.shape, event.bytes)
    return Item(owner, number, event.sign, constant, slope, module)


def _own_segments(layer: int, trace: Trace) -> set[Segment]:
    above = {BEFORE, TOP} if layer > max(trace.outputs) else set()
    return {("forward", layer), ("backward", layer), *above}


def _fixed(tensor: torch.Tensor) -> Item:
    size = tensor.numel() * tensor.element_size()
    constant, slope, module = affine(tuple(tensor.shape), size)
    return Item("own", -1, 1, constant, slope, module)

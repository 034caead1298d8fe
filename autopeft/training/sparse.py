"""Single weights of a linear, trained: `y = (W + S) x`, S zero but at `entries` places.

S is made dense from its values and places for the time of one product, and so is its gradient: a
site takes as much memory as its frozen weight for each configuration of the pack, forward and
backward, one site at a time. While the places are not chosen yet, every site holds a sum of that
size throughout, which decides the peak: more than a LoRA of as many parameters needs. SPT's own
release may need more than full fine-tuning, as the authors of SNELL report of SPT-Adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from autopeft.training.packed_module import PackedModule, sizes_of
from autopeft.types import Count, Settings, Site

Shape = tuple[int, int]
NOWHERE = -1
"""The place of padding, and of entries beyond the number of weights."""


def count(site: Site, settings: Settings) -> Count:
    """As many as there are entries; beyond the number of weights they stay 0, and unpublished."""
    entries = int(settings["entries"])
    return Count(entries, min(entries, site.in_features * site.out_features))


def dense(
    values: torch.Tensor, places: torch.Tensor, shape: Shape, dtype: torch.dtype
) -> torch.Tensor:
    """S [K, d_out, d_in] from values and places [K, n], an index into rows laid end to end each."""
    found = values.new_zeros((len(values), shape[0] * shape[1]), dtype=dtype)
    # What has no place adds its value, which is 0, to the first weight.
    found.scatter_add_(1, places.clamp(min=0), values.to(dtype))
    return found.view(-1, *shape)


class _AddSparse(torch.autograd.Function):
    """`output += rows @ S^T` slice by slice, in the memory of `output`; S is not kept."""

    @staticmethod
    def forward(
        ctx: Any,
        output: torch.Tensor,
        rows: torch.Tensor,
        values: torch.Tensor,
        places: torch.Tensor,
        shape: Shape,
        see: Callable[[torch.Tensor], None],
    ) -> torch.Tensor:
        ctx.save_for_backward(rows, values, places)
        ctx.shape, ctx.see = shape, see
        weight = dense(values, places, shape, rows.dtype)
        # Detached, because autograd copies the gradient of a view that is changed in place.
        result = output.detach()
        result.view(len(weight), -1, shape[0]).baddbmm_(rows, weight.transpose(1, 2))
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, values, places = ctx.saved_tensors
        given = gradient.reshape(len(values), -1, ctx.shape[0])
        below = None
        if ctx.needs_input_grad[1]:
            below = torch.bmm(given, dense(values, places, ctx.shape, given.dtype))
        whole = torch.bmm(given.transpose(1, 2), rows).flatten(1)
        ctx.see(whole)
        mine = whole.gather(1, places.clamp(min=0)).masked_fill_(places < 0, 0)
        return gradient, below, mine.to(values.dtype), None, None, None


class PackedSparse(PackedModule):
    """Values [K, n] and their places [K, n]; the first n weights until places are chosen."""

    values: nn.Parameter
    places: torch.Tensor
    sums: torch.Tensor
    """Squared gradients of every weight [K, d_out d_in], summed over batches; then empty."""

    def __init__(
        self, site: Site, settings: Sequence[Settings | None], seeds: Sequence[int]
    ) -> None:
        super().__init__(sizes_of(settings, "entries"))
        self.shape = (site.out_features, site.in_features)
        weights = self.shape[0] * self.shape[1]
        self.stack("values", [torch.zeros(size) for size in self.sizes], padded=0)
        first = [torch.arange(size) for size in self.sizes]
        first = [torch.where(place < weights, place, NOWHERE) for place in first]
        self.ship("places", first, padded=0, padding=NOWHERE)
        self.register_buffer("sums", torch.zeros(self.count, weights), persistent=False)

    def attach(self, model: nn.Module, site: Site) -> list[Any]:
        """Add `S x` to the output of the linear."""
        return [model.get_submodule(site.path).register_forward_hook(self._add)]

    def _add(self, module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        rows = self.slices(args[0])
        result: torch.Tensor = _AddSparse.apply(  # type: ignore[no-untyped-call]
            output, rows, self.values, self.places, self.shape, self._see
        )
        return result

    def _see(self, gradient: torch.Tensor) -> None:
        if self.sums.numel():
            whole = gradient.to(self.sums.dtype)
            self.sums.addcmul_(whole, whole)

    @torch.no_grad()
    def choose(self) -> None:
        """Move each configuration to the places of its largest sums, which are freed."""
        self.places.fill_(NOWHERE)
        for k, size in enumerate(self.sizes):
            found = largest(self.sums[k], size)
            self.places[k, : len(found)] = found
        self.settle()

    def settle(self) -> None:
        """Free the sums."""
        self.sums = self.sums.new_zeros(0)

    def narrow(self, inputs: torch.Tensor | None, outputs: torch.Tensor | None) -> None:
        """Drop the values at columns and rows that are no longer there."""
        rows, columns = self.shape
        table = torch.full((rows * columns + 1,), NOWHERE, device=self.places.device)
        kept = torch.arange(rows * columns, device=table.device).view(rows, columns)
        kept = kept if outputs is None else kept[outputs]
        kept = kept if inputs is None else kept[:, inputs]
        table[kept.flatten()] = torch.arange(kept.numel(), device=table.device)
        # The last entry of the table is that of what has no place.
        self.places = table[self.places]
        self.values.data.masked_fill_(self.places < 0, 0)
        self.shape = (kept.shape[0], kept.shape[1])
        self.settle()

    def memory(self, index: int) -> dict[str, torch.Tensor]:
        """The sums, while there are any."""
        return {"sums": self.sums[index].cpu().clone()} if self.sums.numel() else {}

    def recall(self, index: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `memory`."""
        if "sums" in tensors:
            self.sums[index].copy_(tensors["sums"])
        else:
            self.settle()


def largest(sums: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the `count` largest of sums [n] in rising order; ties go to the first.

    Sums that are not numbers count as 0, and are set to it.
    """
    count = min(count, len(sums))
    if not count:
        return torch.zeros(0, dtype=torch.long, device=sums.device)
    least = sums.nan_to_num_().topk(count).values[-1]
    above = torch.nonzero(sums > least).flatten()
    equal = torch.nonzero(sums == least).flatten()[: count - len(above)]
    return torch.cat([above, equal]).sort().values

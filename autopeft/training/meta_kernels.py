"""Operations on the meta device, remembered by the shapes that they were given.

Finding the shape of a result takes torch up to a millisecond, making a tensor of it takes
microseconds; a model gives few operations ever new shapes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import torch

Form = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Shape, stride and type of a tensor."""


class MetaKernels:
    """Runs operations; those that make new tensors run once for each set of shapes."""

    def __init__(self) -> None:
        self._forms: dict[Hashable, tuple[Form | None, ...] | None] = {}
        """None for an operation that gives anything but new tensors, and for each it leaves out."""

    def __call__(self, func: Any, args: Sequence[Any], kwargs: Any) -> Any:
        """What the operation gives."""
        key = func, _key(args), _key(tuple(kwargs.items()))
        forms = self._forms.get(key)
        if forms is not None:
            made = [form and _made(form) for form in forms]
            return made[0] if len(func._schema.returns) == 1 else tuple(made)
        output = func(*args, **kwargs)
        if key not in self._forms:
            self._forms[key] = _forms(output, [*args, *kwargs.values()])
        return output


def _made(form: Form) -> torch.Tensor:
    shape, stride, kind = form
    return torch.empty_strided(shape, stride, dtype=kind, device="meta")


def _key(given: Any) -> Hashable:
    if isinstance(given, torch.Tensor):
        return tuple(given.shape), given.stride(), given.dtype, given.is_meta
    if isinstance(given, (tuple, list)):
        return tuple(_key(one) for one in given)
    return type(given), given


def _forms(output: Any, given: Sequence[Any]) -> tuple[Form | None, ...] | None:
    """Forms of the results, when each is a new tensor or left out."""
    results = output if isinstance(output, tuple) else (output,)
    tensors = [one for one in results if isinstance(one, torch.Tensor) and one.is_meta]
    if len(tensors) + sum(one is None for one in results) < len(results):
        return None
    storages = {one.untyped_storage()._cdata for one in tensors}
    before = {one.untyped_storage()._cdata for one in given if isinstance(one, torch.Tensor)}
    if before & storages or len(storages) < len(tensors):
        return None
    return tuple(
        one if one is None else (tuple(one.shape), one.stride(), one.dtype) for one in results
    )

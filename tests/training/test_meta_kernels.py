"""Remembered operations give tensors of the forms that the operations themselves give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from autopeft.training.meta_kernels import MetaKernels

aten = torch.ops.aten
META = {"device": "meta"}


def form(output: Any) -> list[tuple[Any, ...] | None]:
    results = output if isinstance(output, tuple) else (output,)
    return [one if one is None else _described(one) for one in results]


def _described(one: torch.Tensor) -> tuple[Any, ...]:
    return tuple(one.shape), one.stride(), one.dtype, one.device.type


class Counting(TorchDispatchMode):
    """Counts the operations that are really run, but for making an empty tensor."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is not aten.empty_strided.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("func", "args"),
    [
        (aten.mm.default, (torch.empty(2, 3, **META), torch.empty(3, 4, **META))),  # type: ignore[call-overload]
        (aten.native_layer_norm.default, (torch.empty(2, 3, **META), [3], None, None, 1e-5)),  # type: ignore[call-overload]
        (aten.cat.default, ([torch.empty(2, 3, **META), torch.empty(1, 3, **META)],)),  # type: ignore[call-overload]
    ],
)
def test_a_known_operation_is_not_run_again(func: Any, args: tuple[Any, ...]) -> None:
    kernels = MetaKernels()
    first = kernels(func, args, {})
    with Counting() as counting:
        again = kernels(func, args, {})
    assert counting.count == 0
    assert form(again) == form(first) == form(func(*args))


def test_results_that_are_left_out_stay_so() -> None:
    kernels = MetaKernels()
    hidden, one = torch.empty(2, 3, device="meta"), torch.empty(2, 1, device="meta")
    args = (hidden, hidden, [3], one, one, None, None, [True, False, False])
    first, again = (kernels(aten.native_layer_norm_backward.default, args, {}) for _ in range(2))
    assert form(first) == form(again) == [_described(hidden), None, None]


def test_what_shares_memory_is_run_each_time() -> None:
    kernels = MetaKernels()
    given = torch.empty(2, 3, device="meta")
    for _ in range(2):
        for func, more in ((aten.view.default, ([6],)), (aten.add_.Tensor, (1,))):
            shared = kernels(func, (given, *more), {})
            assert shared.untyped_storage()._cdata == given.untyped_storage()._cdata


def test_equal_numbers_of_other_types_are_told_apart() -> None:
    kernels = MetaKernels()
    given = torch.empty(2, dtype=torch.long, device="meta")
    found = [kernels(aten.mul.Tensor, (given, number), {}).dtype for number in (2, 2.0, True)]
    assert found == [torch.long, torch.float32, torch.long]

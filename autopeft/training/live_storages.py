"""A tape of every storage that a computation allocates and releases, in order.

Works on the meta device, whose tensors have shapes and lifetimes but no data. Follows the real
autograd engine in one thing that watching changes: where the engine adds two gradients in place,
which it never does when it is watched, the sum takes over the storage of its first term.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

SOLE_OWNER = 2
"""Use count of a storage with one owner: the owner, and the object that asks."""


@dataclass(frozen=True)
class Event:
    """A storage that comes (`sign` 1) or goes (-1)."""

    storage: int
    sign: int
    bytes: int
    shape: tuple[int, ...]
    """Of the tensor it was allocated for."""


@dataclass(frozen=True)
class Mark:
    """A named moment."""

    label: tuple[str, int]


class DependsOnData(Exception):
    """What is computed depends on values that are not there."""


Run = Callable[[Any, Sequence[Any], Any], Any]
"""(operation, arguments, keyword arguments) -> what it gives."""


def _plainly(func: Any, args: Sequence[Any], kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _tensors(given: Sequence[Any]) -> Iterator[torch.Tensor]:
    """Tensors among them and in the lists among them."""
    for one in given:
        if isinstance(one, torch.Tensor):
            yield one
        elif isinstance(one, (tuple, list)):
            yield from _tensors(one)


class LiveStorages(TorchDispatchMode):
    """Records events while it is entered; storages that were there before are not counted."""

    def __init__(self, run: Run = _plainly) -> None:
        """Record what `run` allocates when it is given each operation."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._run = run
        self.tape: list[Event | Mark] = []
        self._ids: dict[int, int] = {}
        self._born: dict[int, Event] = {}
        self._count = 0

    def mark(self, label: tuple[str, int]) -> None:
        """Note the moment."""
        self.tape.append(Mark(label))

    def id_of(self, tensor: torch.Tensor) -> int:
        """Number of the tensor's storage on the tape, -1 when it was there before."""
        born = self._born.get(self._ids.get(tensor.untyped_storage()._cdata, -1))
        return -1 if born is None else born.storage

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation, and note the storages of its outputs that are new."""
        if func is torch.ops.aten._local_scalar_dense.default:
            return _value(args[0])
        kwargs = kwargs or {}
        for tensor in _tensors((*args, *kwargs.values())):
            self._present(tensor)
        target = self._target(func, args)
        output = self._run(func, args, kwargs)
        for tensor in _tensors((output,)):
            self._new(tensor, target)
        return output

    def _target(self, func: Any, args: Sequence[Any]) -> int | None:
        """Number of the storage that the engine would write this sum of gradients into."""
        engine = torch._C._current_graph_task_id() >= 0 and not torch.is_grad_enabled()
        if func is not torch.ops.aten.add.Tensor or not engine:
            return None
        key = args[0].untyped_storage()._cdata
        return self._ids[key] if torch._C._storage_Use_Count(key) == SOLE_OWNER else None

    def _present(self, tensor: torch.Tensor) -> None:
        """A storage that nothing on the tape allocated is none of our business."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._ids:
            self._watch(storage, self._number())

    def _new(self, tensor: torch.Tensor, target: int | None) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._ids:
            return
        if target is not None and target in self._born:
            # Passed on: the first term's own end is no release, this one's is.
            born = self._born.pop(target)
            number = self._number()
            self._born[number] = born
            self._watch(storage, number)
            return
        number = self._number()
        event = Event(number, 1, storage.nbytes(), tuple(tensor.shape))
        self._born[number] = event
        self.tape.append(event)
        self._watch(storage, number)

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _watch(self, storage: Any, number: int) -> None:
        key = storage._cdata
        self._ids[key] = number
        weakref.finalize(storage, self._gone, key, number)

    def _gone(self, key: int, number: int) -> None:
        del self._ids[key]
        born = self._born.pop(number, None)
        if born is not None:
            self.tape.append(Event(born.storage, -1, born.bytes, born.shape))


def _value(tensor: torch.Tensor) -> bool:
    """The answer where a model asks whether nothing is padding: a token is.

    Raises:
        DependsOnData: it asks for anything else.
    """
    if tensor.dtype != torch.bool:
        raise DependsOnData
    return False


def levels(tape: Iterable[Event | Mark], block: int = 1) -> tuple[int, int]:
    """(bytes at the end, most bytes at once), each storage rounded up to whole blocks."""
    now = most = 0
    for entry in tape:
        if isinstance(entry, Event):
            now += entry.sign * -(-entry.bytes // block) * block
            most = max(most, now)
    return now, most

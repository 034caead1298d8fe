"""DAS: layers by what skipping them does to the loss, found by a bandit.

Wu et al., Parameter and Computation Efficient Transfer Learning for Vision-Language Pre-trained
Models, NeurIPS 2023 (2309.01479). Every round skips a few sets of layers, drawn by p = sigmoid(u),
and moves u of the skipped ones by reward times p (1 - p), the reward being exp(-loss) less its
mean. Here all sets of a round run in one packed forward pass, a skipped layer hands on what it was
given, no adapter stands in for it, and rewards are standardised within a round, as short runs need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopeft import digest
from autopeft.errors import UsageError
from autopeft.scoring.scoring import Scoring
from autopeft.training.handles import held
from autopeft.training.pack import Pack
from autopeft.types import Configuration, ImportanceMethod, Scores

if TYPE_CHECKING:
    import torch

NAME = "das"
CANDIDATES = 5
STEP = 0.5
SHARE = 0.25
"""Of the layers, skipped together; one at least."""


def score(scoring: Scoring) -> Scores:
    """How unlikely a layer is to be skipped, shared by its linears.

    Raises:
        UsageError: the backbone has a single layer.
    """
    import torch

    depth = len(scoring.backbone.layers)
    if depth < 2:
        raise UsageError("DAS skips layers, and this backbone has only one", hint="use `fisher`")
    pack = _copies_of_the_head(scoring)
    logits = torch.zeros(depth, dtype=torch.float64)
    rounds = max(2 * depth, scoring.protocol.steps // 2)
    generator = torch.Generator().manual_seed(digest.seed_of(scoring.seed, NAME))
    with _skipping(scoring, CANDIDATES) as skipped, pack.attached(scoring.model), torch.no_grad():
        for rows in scoring.rows(rounds, part=NAME):
            chances = logits.sigmoid()
            count = max(1, int(SHARE * depth))
            for flags in skipped:
                flags[:] = False
                flags[torch.multinomial(chances, count, generator=generator)] = True
            logits += _moves(scoring.losses(pack, rows), skipped, chances)
    keep = (-logits).sigmoid()
    about = {"rounds": rounds, "candidates": CANDIDATES}
    return Scores(NAME, scoring.shared_by_linears(keep.tolist()), about)


def _copies_of_the_head(scoring: Scoring) -> Pack:
    # Every layer must see all K * B rows, as each slice skips its own.
    pack = scoring.pack([Configuration((), 1e-3)] * CANDIDATES, share_trunk=False)
    for index in range(CANDIDATES):
        pack.restore(index, scoring.trained_head.export(0))
    return pack


def _moves(losses: torch.Tensor, skipped: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
    """Change of u of every layer; a loss that is not finite counts as the worst reward."""
    import torch

    rewards = torch.nan_to_num((-losses).double().exp().cpu(), nan=0.0)
    rewards = (rewards - rewards.mean()) / rewards.std().clamp(min=1e-12)
    return STEP * (rewards @ skipped.double()) * chances * (1 - chances)


@contextmanager
def _skipping(scoring: Scoring, count: int) -> Iterator[torch.Tensor]:
    """Meanwhile slice k skips the layers that the flags [count, layers] say."""
    import torch

    flags = torch.zeros(count, len(scoring.backbone.layers), dtype=torch.bool)

    def skip(index: int) -> Any:
        def forward(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            entered = args[0] if args else kwargs["hidden_states"]
            made = output if isinstance(output, torch.Tensor) else output[0]
            skips = flags[:, index].to(made.device).repeat_interleave(len(made) // count)
            mixed = torch.where(skips.view(-1, *([1] * (made.dim() - 1))), entered, made)
            return mixed if isinstance(output, torch.Tensor) else (mixed, *output[1:])

        return forward

    hooks = [
        scoring.model.get_submodule(path).register_forward_hook(skip(index), with_kwargs=True)
        for index, path in enumerate(scoring.backbone.layers)
    ]
    with held(hooks):
        yield flags


METHOD = ImportanceMethod(
    label="DAS: what skipping a layer does to the loss, by a bandit",
    paper="Wu et al., Parameter and Computation Efficient Transfer Learning, NeurIPS 2023",
    score=score,
    allocator="ranks",
    cost="forward passes, packed by five",
)

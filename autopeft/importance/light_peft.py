"""Light-PEFT's early run: modules by relative output, ranks by magnitude times gradient.

Gu et al., Light-PEFT: Lightening Parameter-Efficient Fine-Tuning via Early Pruning, ACL-F 2024. A
module's score is the mean over tokens of |dh| / |h|; that of its k-th direction is
`|mean_j A_kj g_kj| + |mean_i B_ik g_ik|`. Both are means over the second half of the run. Heads
and neurons of the backbone are pruned by the module types `cut_heads` and `cut_neurons`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autopeft.scoring.lora_watch import Seen, watched
from autopeft.scoring.scoring import Scoring
from autopeft.training.callback import Callback, Run
from autopeft.types import ImportanceMethod, Scores

NAME = "light_peft"


class EarlyRun(Callback):
    """Keeps running sums over the second half of a training; the memory does not grow."""

    def __init__(self) -> None:
        self.open = False
        self.steps = 0
        self.modules: dict[str, float] = {}
        self.ranks: dict[str, Any] = {}

    def before_step(self, run: Run, step: int) -> None:
        """Listen from the middle of the run on."""
        self.open = step >= run.steps // 2

    def see(self, seen: Seen) -> None:
        """Relative size of a module's output, a mean over the real tokens."""
        if not self.open:
            return
        norms = seen.frozen.float().norm(dim=-1, keepdim=True)
        ratio = seen.update.float().norm(dim=-1, keepdim=True) / norms.clamp(min=1e-12)
        share = float((ratio * seen.real).sum() / seen.real.sum().clamp(min=1))
        self.modules[seen.site] = self.modules.get(seen.site, 0.0) + share

    def after_backward(self, run: Run, step: int) -> None:
        """Magnitude times gradient of each direction."""
        if not self.open:
            return
        self.steps += 1
        for key, layer in run.pack.layers.items():
            stacked: Any = layer
            down = (stacked.A * stacked.A.grad)[0].mean(1).abs()
            up = (stacked.B * stacked.B.grad)[0].mean(0).abs()
            name = run.pack.sites[key].name
            self.ranks[name] = self.ranks.get(name, 0.0) + (down + up).detach()


def score(scoring: Scoring) -> Scores:
    """A score per site, and one per direction: the site's score in proportion to its directions.

    A direction's score has another unit than a module's, so that only its share within the site
    is kept.
    """
    import torch

    pack = scoring.pack([scoring.lora()])
    early = EarlyRun()
    with watched(scoring.model, pack, early.see):
        scoring.train(pack, callbacks=[early])
    steps = max(1, early.steps)
    modules = {name: _finite(value / steps) for name, value in early.modules.items()}
    ranks = {
        name: torch.nan_to_num(value / steps).sort(descending=True).values.tolist()
        for name, value in early.ranks.items()
    }
    return Scores(NAME, modules, {"steps": scoring.protocol.steps}, rank=_shared(modules, ranks))


def _shared(
    modules: Mapping[str, float], ranks: Mapping[str, list[float]]
) -> dict[str, list[float]]:
    return {
        name: [modules[name] * value / (sum(values) or 1.0) for value in values]
        for name, values in ranks.items()
    }


def _finite(value: float) -> float:
    return value if value == value and abs(value) != float("inf") else 0.0


METHOD = ImportanceMethod(
    label="Light-PEFT's early run: relative output of modules, magnitude x gradient of ranks",
    paper="Gu et al., Light-PEFT, Findings of ACL 2024 (arXiv 2406.03792)",
    score=score,
    allocator="ranks",
    cost="one short training",
)

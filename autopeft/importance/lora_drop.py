"""LoRA-drop: sites by the size of what a short LoRA run adds to their output.

Zhou et al., LoRA-drop: Efficient LoRA Parameter Pruning based on Output Evaluation, 2402.07721.
"""

from __future__ import annotations

from autopeft.scoring.lora_watch import Seen, watched
from autopeft.scoring.scoring import BATCHES, Scoring
from autopeft.types import ImportanceMethod, Scores

NAME = "lora_drop"


def score(scoring: Scoring) -> Scores:
    """Mean over tokens of |delta W x|^2 at each linear, after LoRA was trained on all of them."""
    import torch

    pack = scoring.pack([scoring.lora()])
    scoring.train(pack)
    sums = dict.fromkeys((site.name for site in scoring.linears), 0.0)
    tokens = 0.0

    def see(seen: Seen) -> None:
        sums[seen.site] += float((seen.update.float() * seen.real).square().sum())

    with watched(scoring.model, pack, see), pack.attached(scoring.model), torch.no_grad():
        for rows in scoring.rows(BATCHES, part=NAME):
            batch = scoring.splits[0].batch(rows)
            pack.logits(scoring.model, batch)
            tokens += float(batch["attention_mask"].sum())
    found = {name: value / max(1.0, tokens) for name, value in sums.items()}
    return Scores(NAME, found, {"steps": scoring.protocol.steps})


METHOD = ImportanceMethod(
    label="LoRA-drop: size of what LoRA adds after a short run",
    paper="Zhou et al., LoRA-drop, 2024 (arXiv 2402.07721)",
    score=score,
    allocator="whole_sites",
    cost="one short training",
)

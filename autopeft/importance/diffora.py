"""DiffoRA-style: which sites keep their LoRA, by relaxed gates at half the parameters.

After Jiang et al., DiffoRA (2502.08905), whose code is not public: the relaxation is S3Delta's,
see `callbacks.gates`. The allocator makes the choice discrete at any budget, and the chosen sites
are trained anew from the start, so that no gap between relaxed and discrete gates remains.
"""

from __future__ import annotations

from dataclasses import replace

from autopeft.callbacks.gates import Gates
from autopeft.scoring.scoring import Scoring
from autopeft.types import ImportanceMethod, Scores

NAME = "diffora"
SHARE = 0.5
"""Of the parameters of LoRA everywhere: where the gates compete."""


def score(scoring: Scoring) -> Scores:
    """The gate of each site times its size, so that a score per parameter is the gate."""
    weights, held_out = scoring.halves()
    learner = Gates(held_out, [SHARE])
    split = replace(scoring, splits=(weights, scoring.splits[1]))
    split.train(split.pack([split.lora()]), callbacks=[learner])
    gates = dict(zip(learner.sites, learner.gates[0].tolist(), strict=True))
    worth = dict(zip(learner.sites, (learner.gates * learner.sizes)[0].tolist(), strict=True))
    return Scores(NAME, worth, {"steps": scoring.protocol.steps, "gates": gates})


METHOD = ImportanceMethod(
    label="DiffoRA-style relaxed gates with S3Delta's budget shift",
    paper="after Jiang et al., DiffoRA, 2025 (arXiv 2502.08905) and Hu et al., S3Delta, 2022",
    score=score,
    allocator="whole_sites",
    cost="one short training, two passes a step",
)

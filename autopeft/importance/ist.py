"""IST's layer importance, learned beside a short LoRA run (Yao et al., 2410.11772).

The paper's step moves a layer's chance by a few hundredths in a short run, so that rewards are
standardised and rounds are held every other step here; all layers are trained meanwhile.
"""

from __future__ import annotations

from autopeft.callbacks.ist import Ist
from autopeft.scoring.scoring import Scoring
from autopeft.types import ImportanceMethod, Scores

NAME = "ist"
INTERVAL = 2
STEP_SIZE = 0.5


def score(scoring: Scoring) -> Scores:
    """The chance sigmoid(-u) of each layer to be trained, shared by its linears."""
    learner = Ist(interval=INTERVAL, step_size=STEP_SIZE, standardised=True, rests=False)
    pack = scoring.pack([scoring.lora()])
    scoring.train(pack, callbacks=[learner])
    chances = (-learner.scores[0]).sigmoid().tolist()
    about = {"steps": scoring.protocol.steps, "layer_chance": chances}
    return Scores(NAME, scoring.shared_by_linears(chances), about)


METHOD = ImportanceMethod(
    label="IST: what damping a layer's modules does to the loss, by a bandit",
    paper="Yao et al., Layer-wise Importance Matters, Findings of EMNLP 2024 (arXiv 2410.11772)",
    score=score,
    allocator="ranks",
    cost="one short training and forward passes",
)

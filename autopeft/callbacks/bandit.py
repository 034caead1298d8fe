"""The bandit of DAS and IST: which layers can be left out, learned from losses without them.

Wu et al., NeurIPS 2023 (2309.01479): u of a layer moves by `step * (exp(-loss) - mean) * p (1 - p)`
with p = sigmoid(u) whenever it is in a set that was tried, the mean being over the sets of a round.
High is what the loss does not miss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from autopeft import digest


def moved(
    scores: torch.Tensor,
    sets: torch.Tensor,
    losses: torch.Tensor,
    *,
    step: float,
    standardised: bool,
) -> torch.Tensor:
    """The scores after a round.

    Args:
        scores: u [K, layers].
        sets: what was left out, as flags [sets, K, layers].
        losses: without it [sets, K]; one that is not finite has no reward.
        step: how far the scores move.
        standardised: divide the rewards by their spread, for runs too short for the plain ones.
    """
    rewards = torch.nan_to_num((-losses).double().exp(), nan=0.0).to(scores.device)
    rewards = rewards - rewards.mean(0)
    if standardised and len(rewards) > 1:
        rewards = rewards / rewards.std(0).clamp(min=1e-12)
    chances = scores.sigmoid()
    return scores + step * (rewards.unsqueeze(2) * sets).sum(0) * chances * (1 - chances)


def drawn(
    weights: torch.Tensor, counts: Sequence[int], seeds: Sequence[int], *part: object
) -> torch.Tensor:
    """`counts[k]` layers of configuration k by weight, from its own seed alone [K, layers]."""
    chosen = torch.zeros_like(weights, dtype=torch.bool)
    for k, (count, seed) in enumerate(zip(counts, seeds, strict=True)):
        if count:
            generator = torch.Generator().manual_seed(digest.seed_of(seed, *part))
            chosen[k, torch.multinomial(weights[k], count, generator=generator)] = True
    return chosen

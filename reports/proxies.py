"""Proxies: whether a score part of the way can be trusted, and what stopping early saved."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from html import escape
from typing import Any

from autopeft.rungs import forecast, promotion
from autopeft.types import Results, TrialRecord, View

from . import _shared as shared
from ._figure import BLUE, GREY, axis, figure, selection, trial_points

FIGURE = "proxies-figure"
WEAK = 0.5


def curves(results: Results) -> dict[int, Sequence[Mapping[str, Any]]]:
    """Trial number -> its last rung but one and its last, for the drawn trials that have both."""
    found = {t.number: t.provenance.get("curve") or () for t in shared.drawn(results)}
    return {number: curve[-2:] for number, curve in found.items() if len(curve) > 1}


def unavailable(results: Results) -> str:
    """The reason when no score was taken on the way."""
    if curves(results):
        return ""
    return shared.nothing_yet(results) or "No score was taken before the end of a training."


def html(results: Results) -> str:
    """The verdict, the figure, the rungs and the memory."""
    return (
        f"<p><strong>{escape(verdict(results))}</strong></p>"
        f"{shared.figure_html(FIGURE, finding(results))}"
        f"{rungs_html(results)}{memory_html(results)}"
    )


def verdict(results: Results) -> str:
    """Whether to trust the early score, in a sentence."""
    found = results.info.get("proxy_correlation")
    if not found:
        return "Too few trials, or too little spread, to say how well the early scores rank them."
    interval = f"{found['value']:.2f}, 95 % interval {found['low']:.2f} to {found['high']:.2f}"
    about = f"Spearman's rank correlation over {found['trials']} trials is {interval}"
    if found["low"] >= WEAK:
        return f"The early score can be trusted to rank the trials. {about}."
    if found["high"] < WEAK:
        return f"The early score ranks the trials poorly. {about}."
    return f"Whether the early score ranks the trials well is open. {about}."


def finding(results: Results) -> str:
    """What the figure shows, in a sentence."""
    found = curves(results)
    rose = sum(curve[-1]["score"] > curve[0]["score"] for curve in found.values())
    first = next(iter(found.values()))
    return (
        f"{len(found)} trials with a score at step {first[0]['step']} and at step "
        f"{first[-1]['step']}; {rose} of them rose."
    )


def rungs_html(results: Results) -> str:
    """How many trials each rung saw and stopped, and the steps that this saved."""
    reached = steps_reached(results)
    twice = {t.first_go for t in ended(results)} & reached.keys()
    full = max(reached.values())
    rungs = sorted({p["step"] for t in ended(results) for p in t.provenance["curve"]})
    rows = "".join(rung_row(step, reached, twice, full) for step in rungs)
    saved = 1 - sum(reached.values()) / (full * (len(reached) - len(twice)))
    words = (
        f"Stopping early saved {saved:.0%} of the training steps."
        if min(reached.values()) < full
        else "No trial was stopped early: every one was trained to the last step."
    )
    if twice:
        words += f" Of the trials stopped, {len(twice)} turned out to be worth training after all."
    words = " ".join(filter(None, [words, sampled(results), replayed(results)]))
    return (
        '<h3>Rungs</h3><div class="scroll" role="region" aria-label="Rungs" tabindex="0">'
        '<table><thead><tr><th scope="col">step</th>'
        '<th scope="col">trials scored</th><th scope="col">stopped here</th>'
        f'<th scope="col">steps saved</th></tr></thead><tbody>{rows}</tbody></table></div>'
        f"<p>{words}</p>"
    )


def sampled(results: Results) -> str:
    """On how many rows an early score is, where that is not all of them."""
    curves = (trial.provenance["curve"] for trial in ended(results))
    rows = {point["rows"] for curve in curves for point in curve if "rows" in point}
    if len(rows) < 2:
        return ""
    return f"Scores before the last step are over {min(rows)} of the {max(rows)} rows."


def replayed(results: Results) -> str:
    """What the rule of early stopping would have done to the trials that were trained fully."""
    curve = next((t.provenance["curve"] for t in ended(results)), ())
    trained = promotion.finished(
        shared.drawn(results),
        curve[0]["step"] if curve else 0,
        directions=[o.direction for o in results.objectives],
        costs=lambda trial: [shared.value_of(trial, o).value for o in results.objectives[1:]],
    )
    if len(trained) <= forecast.LEAST_TRIALS:
        return ""
    stopped = [trial.number for trial in promotion.replay(trained)]
    lost = sum(number in results.front for number in stopped)
    return (
        f"Replayed on the {len(trained)} fully trained trials, each judged by the others, the rule "
        f"would have stopped {len(stopped)}, of which {lost} are on the front."
    )


def rung_row(
    step: int, reached: Mapping[int, int], twice: Collection[int | None], full: int
) -> str:
    """One rung; what was trained after all saved nothing."""
    stopped = [n for n, last in reached.items() if last == step < full]
    saved = sum(-step if number in twice else full - step for number in stopped)
    cells = (sum(last >= step for last in reached.values()), len(stopped), saved)
    return f'<tr><th scope="row">{step}</th>' + "".join(f"<td>{n:,}</td>" for n in cells) + "</tr>"


def ended(results: Results) -> list[TrialRecord]:
    """The trials that were trained at least to the first rung and are over."""
    return [t for t in results.trials if t.state != "running" and t.provenance.get("curve")]


def steps_reached(results: Results) -> dict[int, int]:
    """Trial number -> the last step it was scored at."""
    return {t.number: int(t.provenance["curve"][-1]["step"]) for t in ended(results)}


def memory_html(results: Results) -> str:
    """The predicted against the measured memory, where there is both."""
    ratios = sorted(
        t.measurements["memory_predicted"].value / t.measurements["memory_measured"].value
        for t in shared.finished(results)
        if {"memory_predicted", "memory_measured"} <= t.measurements.keys()
        and t.measurements["memory_measured"].value > 0
    )
    if not ratios:
        return "<p>Memory was predicted, not measured: there was no GPU to measure on.</p>"
    middle = ratios[len(ratios) // 2]
    return (
        f"<p>Predicted over measured memory: {middle:.2f} in the middle, {ratios[0]:.2f} to "
        f"{ratios[-1]:.2f} over {len(ratios)} trials.</p>"
    )


def data(results: Results) -> dict[str, Any]:
    """The early score against the last."""
    found = curves(results)
    early, late = ([100 * curve[i]["score"] for curve in found.values()] for i in (0, -1))
    finite = [v for v in early + late if math.isfinite(v)] or [0.0]
    ends = [min(finite), max(finite)]
    first = next(iter(found.values()))
    same = {
        "x": ends,
        "y": ends,
        "mode": "lines",
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        "name": "no change",
        "hoverinfo": "skip",
    }
    points = trial_points(list(found), early, late)
    points |= {"marker": {"size": 8, "color": BLUE}, "name": "trial"}
    drawn = figure(
        [same, points, selection()],
        xaxis=axis(f"score at step {first[0]['step']}, %"),
        yaxis=axis(f"score at step {first[-1]['step']}, %"),
    )
    return {"figures": {FIGURE: {"": drawn}}}


VIEW = View(
    title="Proxies",
    order=9,
    caption=(
        "Each trial's score part of the way against its score at the end. The closer the points "
        "are to one rising line, the more an early score can be trusted."
    ),
    unavailable=unavailable,
    html=html,
    data=data,
)

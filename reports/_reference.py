"""What drawing at random reaches: a random search, or the random draws of a study's own design."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from autopeft.types import Results, TrialRecord

from . import _shared as shared
from . import _studies as several
from ._hypervolume import Box, Front, Growth, growth, seconds, usable

DRAWN_AT_RANDOM = ("spread", "random")
"""Origins of trials that no score had a say in."""
ORDERS = 100
LEAST_DRAWS = 3


@dataclass(frozen=True)
class Reference:
    """A curve to hold the study's own against, and what it is."""

    name: str
    curve: Growth


def random_study(results: Results) -> Results | None:
    """The random search given beside the study, when it has anything to show."""
    found = results.info.get("reference")
    return found if isinstance(found, Results) and usable(found) else None


def reference(results: Results, box: Box) -> Reference | None:
    """A random search where one is given, else the study's own random draws; None without both."""
    if found := random_study(results):
        return Reference(f"{several.file_name(found)}, {kind(found)}", growth(found, box))
    if several.is_random(results) or len(draws := random_draws(results)) < LEAST_DRAWS:
        return None
    return Reference(f"defaults, then {len(draws)} random draws", expected(results, draws, box))


def kind(beside: Results) -> str:
    """What a study given as the reference is."""
    return "a random search" if several.is_random(beside) else f"by {several.sampler(beside)}"


def random_draws(results: Results) -> list[TrialRecord]:
    """The finished trials that were drawn at random."""
    return [t for t in shared.finished(results) if t.origin in DRAWN_AT_RANDOM]


def expected(results: Results, draws: Sequence[TrialRecord], box: Box) -> Growth:
    """The mean curve of the defaults followed by the draws in any order.

    Its seconds are those of the defaults and the mean of a draw.
    """
    defaults = [t for t in results.trials if t.default]
    able = {t.number: box.gains(shared.rows(results, [t])[0]) for t in usable(results)}
    generator = random.Random(0)
    curves = [
        volumes([*defaults, *generator.sample(draws, len(draws))], able, len(box.low))
        for _ in range(ORDERS)
    ]
    means = tuple(statistics.fmean(column) for column in zip(*curves, strict=True))
    start, each = sum(map(seconds, defaults)), statistics.fmean(map(seconds, draws))
    counts = range(len(draws) + 1)
    return Growth(
        tuple(len(defaults) + k for k in counts),
        tuple(start + each * k for k in counts),
        means[len(defaults) :],
    )


def volumes(
    trials: Sequence[TrialRecord], able: dict[int, tuple[float, ...]], width: int
) -> list[float]:
    """The share of the box after none of the trials, after the first, ..., after all."""
    front, found = Front(width), [0.0]
    for trial in trials:
        grew = trial.number in able and front.add(able[trial.number])
        found.append(front.volume() if grew else found[-1])
    return found


def reference_html(results: Results, curve: Growth, against: Reference | None) -> str:
    """The study against a random search, or how to get one to compare with."""
    if several.is_random(results):
        return "<p>This study is itself a random search.</p>"
    beside = random_study(results)
    if beside and against:
        return f"<p>{escape(verdict(curve, against))}</p>{mismatch_html(results, beside)}"
    return way_html(results, against)


def verdict(curve: Growth, against: Reference) -> str:
    """Where the two stand after as many trials, and when the study passed the other's end."""
    count = min(curve.trials[-1], against.curve.trials[-1])
    own, other = curve.at(count), against.curve.at(count)
    text = f"After {count} trials the study covers {own:.3f} of the box, the reference {other:.3f}"
    end = against.curve.share[-1]
    pairs = zip(curve.trials, curve.share, strict=True)
    passed = next((n for n, share in pairs if share >= end), None)
    if passed is None:
        text += f"; it never reaches the {end:.3f} that the reference ends with"
    else:
        text += f"; it needed {passed} for the {end:.3f} that the reference ends with"
    return (
        f"{text}. Both begin with the defaults and a design; each is one run with one seed, and "
        "another seed may shift both."
    )


def mismatch_html(results: Results, beside: Results) -> str:
    """Warnings when the reference is no random search, or does not score the same thing."""
    words = []
    if not several.is_random(beside):
        words.append(
            f"The reference is no random search: its sampler is {several.sampler(beside)}."
        )
    if found := several.incomparable([results, beside]):
        words.append(f"The two differ in {', '.join(found)}: the comparison is not a fair one.")
    items = "".join(f"<li>{escape(text)}</li>" for text in words)
    return f'<ul class="alerts" aria-label="Alerts">{items}</ul>' if items else ""


def way_html(results: Results, against: Reference | None) -> str:
    """What the dotted line is, and the two commands that give a random search to compare with."""
    parts = []
    if against:
        parts.append(
            f"The dotted line: {against.name}, those of the study's own design in which no score "
            "had a say, as the mean over their orders. It ends where these draws do and is not a "
            "random search of the same length."
        )
    command = str(results.info.get("command") or "")
    if not command:
        return "".join(f'<p class="muted">{escape(part)}</p>' for part in parts)
    parts.append(
        "No random search was given. These two commands run one under the same protocol and put "
        "it into this figure:"
    )
    study = results.study.removesuffix(".journal") + "-random.journal"
    again = f"{command} --sampler random --study {shared.quoted(study)}"
    own = f"autopeft report {shared.quoted(results.study)} --reference {shared.quoted(study)}"
    words = f'<p class="muted">{escape(" ".join(parts))}</p>'
    return f"{words}{shared.command_html(again)}{shared.command_html(own)}"

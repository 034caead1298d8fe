"""Several studies side by side: their names, colours, trials and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autopeft import pareto
from autopeft.types import Results, TrialRecord

from . import _shared as shared
from ._figure import BLUE, GREY, ORANGE, PURPLE, TEAL

COLOURS = (BLUE, ORANGE, TEAL, PURPLE, GREY)
DASHES = ("solid", "dash", "dot", "dashdot")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MATTER = ("model", "dataset", "metric", "splits", "protocol", "budget_percent", "memory_shape")
"""Facts without which scores of two studies cannot be compared."""


def letter(index: int) -> str:
    """`A` for the first study; two letters after the 26th."""
    before, last = divmod(index, len(LETTERS))
    return (LETTERS[before - 1] if before else "") + LETTERS[last]


def name(index: int, results: Results) -> str:
    """Letter and file, such as `A quickstart`."""
    return f"{letter(index)} {file_name(results)}"


def file_name(results: Results) -> str:
    """The study's file without its folder and suffix."""
    return results.study.rsplit("/", 1)[-1].removesuffix(".journal")


def line_style(index: int) -> dict[str, Any]:
    """Colour and dash of a study's line: different for the first twenty."""
    dash = DASHES[index // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[index % len(COLOURS)], "dash": dash}


def key(index: int, trial: TrialRecord) -> str:
    """What a page calls a trial of the study at that position."""
    return f"{index}-{trial.number}"


def fronts(studies: Sequence[Results]) -> list[tuple[int, TrialRecord]]:
    """(position of the study, trial) of every front, study by study."""
    return [(i, r.trial(number)) for i, r in enumerate(studies) for number in r.front]


def joint_front(studies: Sequence[Results]) -> set[str]:
    """The keys of the trials that no trial of any study dominates."""
    found = fronts(studies)
    rows = [shared.rows(studies[0], [trial])[0] for _, trial in found]
    return {key(*found[i]) for i in pareto.front(rows, shared.directions(studies[0]))}


def sampler(results: Results) -> str:
    """The sampler of a study, or an empty string."""
    return str((results.info.get("settings") or {}).get("sampler") or "")


def is_random(results: Results) -> bool:
    """Whether the study's trials were drawn at random."""
    return sampler(results) == "random"


def settings_of(results: Results) -> dict[str, Any]:
    """Everything that may differ between two studies, by name."""
    info = results.info
    settings = {f"--{k}".replace("_", "-"): v for k, v in (info.get("settings") or {}).items()}
    plain = {n: info.get(n) for n in ("model", "dataset", "space", "metric", "device", "dtype")}
    nested = {
        f"{group} {n}": v
        for group in ("splits", "protocol", "digests", "versions")
        for n, v in (info.get(group) or {}).items()
    }
    return {**plain, **nested, **settings}


def differing(studies: Sequence[Results]) -> dict[str, list[Any]]:
    """Name -> value of each study, for what is not the same in all of them."""
    found = [settings_of(results) for results in studies]
    names = dict.fromkeys(name for one in found for name in one)
    columns = {n: [one.get(n) for one in found] for n in names}
    return {n: values for n, values in columns.items() if any(v != values[0] for v in values)}


def incomparable(studies: Sequence[Results]) -> list[str]:
    """The facts that should be the same and are not."""
    found = [
        n.replace("_", " ") for n in MATTER if len({_text(r.info.get(n)) for r in studies}) > 1
    ]
    data = {_text((r.info.get("digests") or {}).get("data")) for r in studies}
    return found + (["rows of the data"] if len(data) > 1 and "dataset" not in found else [])


def _text(value: Any) -> str:
    return repr(sorted(value.items()) if isinstance(value, Mapping) else value)


def repeats(studies: Sequence[Results]) -> list[list[int]]:
    """Positions of the studies that differ in nothing but their seed, in groups of two or more."""
    groups: dict[str, list[int]] = {}
    for index, results in enumerate(studies):
        settings = {k: v for k, v in (results.info.get("settings") or {}).items() if k != "seed"}
        same = (_text(settings), results.info.get("space"), results.info.get("dataset"))
        groups.setdefault(repr(same), []).append(index)
    return [group for group in groups.values() if len(group) > 1]

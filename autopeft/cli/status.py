"""`autopeft status`: how far a study is, what it found and what went wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autopeft.cli import options, output

if TYPE_CHECKING:
    from autopeft.types import Results


def status(study: options.Study = "", json: options.Json = False) -> None:
    """Show how far a study is and what went wrong."""
    from autopeft.cli.studies import find
    from autopeft.study.results import snapshot

    results = snapshot(find(study))
    data = _data(results)
    if json:
        output.show_json({"schema": "autopeft.status/1", **data})
        return
    output.show(output.facts(_words(results, data)))
    for sentence in data["health"]:
        output.note(f"note: {output.sentence(sentence)}")


def _data(results: Results) -> dict[str, Any]:
    from autopeft.cli.records import record
    from autopeft.study.results import choose, hypervolume

    states = [trial.state for trial in results.trials]
    return {
        "study": results.study,
        "model": results.info.get("model"),
        "dataset": results.info.get("dataset"),
        "space": results.info.get("space"),
        "done": len(states) - states.count("running"),
        "total": results.info.get("trials") or len(states),
        "stopped": states.count("stopped"),
        "failed": states.count("failed"),
        "running": states.count("running"),
        "seconds": results.info.get("seconds"),
        "front": len(results.front),
        "best": record(choose(results, "best"), results.backbone) if results.front else None,
        "hypervolume": hypervolume(results),
        "expected_gain": results.info.get("expected_gain"),
        "health": list(results.info.get("health") or ()),
        "failures": {str(t.number): t.message for t in results.trials if t.state == "failed"},
    }


def _words(results: Results, data: dict[str, Any]) -> dict[str, str]:
    from autopeft.cli.tally import duration

    seconds, best = data["seconds"], data["best"]
    stopped = f", {data['stopped']} stopped early" if data["stopped"] else ""
    done = f"{data['done']} of {data['total']} done{stopped}, {data['failed']} failed"
    return {
        "study": results.study,
        "model": f"{data['model']}, {data['dataset']}",
        "space": str(data["space"] or ""),
        "trials": f"{done}, {data['running']} unfinished" if data["running"] else done,
        "training": duration(seconds) if seconds else "",
        "best": _best(results, best) if best else "nothing finished within the limits",
        "front": f"{data['front']} points, hypervolume {data['hypervolume']:.3f}{_gain(data)}",
        **{f"failed {n}": message or "no reason kept" for n, message in _some(data).items()},
    }


def _gain(data: dict[str, Any]) -> str:
    """What one more trial is expected to add, where a model said it."""
    gain = data["expected_gain"]
    return "" if gain is None else f", expected to grow {gain:.1%} by the next trial"


def _some(data: dict[str, Any]) -> dict[str, str]:
    """The first failures; the rest is in the report."""
    return dict(list(data["failures"].items())[:3])


def _best(results: Results, best: dict[str, Any]) -> str:
    from autopeft.format import measured
    from autopeft.types import Measured

    values = [
        f"{objective.label.lower()} {measured(Measured(**found), objective.unit)}"
        for objective in results.objectives
        if (found := best["objectives"].get(objective.name))
    ]
    return f"trial {best['trial']}: {', '.join(values)}; {best['modules']}"

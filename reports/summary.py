"""Summary: the decision first. Three configurations to choose from, and whether to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from autopeft.format import MISSING, bytes_text, count_text
from autopeft.study.recommendation import recommended
from autopeft.types import Comparison, Results, TrialRecord, View

from . import _shared as shared
from ._axes import plottable
from ._chosen import choices
from ._defaults import comparison, differences, gain
from ._side_by_side import summary_html


def html(results: Results) -> str:
    """The facts, the alerts, the three cards and the comparison with the defaults."""
    parts = [
        facts(results),
        decision(results),
        alerts(results),
        cards(results),
        f'<p class="muted">{escape(uncertainty(results))}</p>',
        comparison(results),
    ]
    return "\n".join(part for part in parts if part)


def facts(results: Results) -> str:
    """Backbone, task, space, budget and trials as a definition list."""
    info = results.info
    budget, task = info.get("budget_percent"), str(info.get("task") or "").replace("_", " ")
    rows = {
        "Backbone": f"{results.backbone.name}, {count_text(results.backbone.parameters)} weights",
        "Task": " on ".join(filter(None, (task, str(info.get("dataset") or "")))),
        "Search space": str(info.get("space") or ""),
        "Budget": "" if budget is None else f"{budget:g} % of the backbone's weights",
        "Trials": trial_counts(results),
    }
    items = (f"<div><dt>{k}</dt><dd>{escape(v)}</dd></div>" for k, v in rows.items() if v)
    return f'<dl class="facts">{"".join(items)}</dl>'


def decision(results: Results) -> str:
    """What to take, in a sentence, what that gains over the best default, and how to train it."""
    trial = recommended(results)
    if trial is None:
        return ""
    best = next(iter(choices(results).values()))
    rule = "the best" if trial is best else "the smallest within one standard error of the best"
    words = ", ".join(
        f"{shared.objective_text(trial, o)} {shared.label(o)}{shared.predicted([trial], o)}"
        for o in results.objectives
    )
    return (
        f'<p class="lead">In short: take {shared.select_html(trial)}, {rule}: {escape(words)}.'
        f"{over_the_best_default(results, trial)}{over_the_head(results)}</p>"
        + shared.command_html(shared.train_command(results.study, trial.number))
    )


def over_the_best_default(results: Results, trial: TrialRecord) -> str:
    """How the trial stands against the default with the best first objective."""
    first = results.objectives[0]
    sign = 1.0 if first.direction == "maximize" else -1.0
    defaults = [
        t for t in shared.finished(results) if t.default and t.feasible and plottable(t, first)
    ]
    if not defaults or trial.default:
        return " It is one of the defaults." if defaults else ""
    best = max(defaults, key=lambda t: sign * shared.value_of(t, first).value)
    return (
        f" Against the best default, {escape(best.default)} "
        f"({shared.select_html(best)}), it is {escape(differences(results, trial, best))}."
    )


def over_the_head(results: Results) -> str:
    """A warning when even the most accurate trial may be no better than the head alone."""
    heads = [t for t in shared.finished(results) if not t.configuration.placements]
    best = next(iter(choices(results).values()))
    if not heads or best in heads:
        return ""
    found = gain(results, best, heads[0], results.objectives[0])
    if found.value > 0 and not shared.doubt(found):
        return ""
    return (
        f" <strong>No trial is better than training the head alone "
        f"({shared.select_html(heads[0])}) by more than chance:</strong> train for longer, or try "
        "another model."
    )


def trial_counts(results: Results) -> str:
    """Such as `38 done, 9 of them on the front, 1 over the limit; 1 failed; 1 running`."""
    done = shared.finished(results)
    over = sum(not trial.feasible for trial in done)
    states = [trial.state for trial in results.trials]
    words = [f"{len(done)} done, {len(results.front)} of them on the front"]
    if over:
        words[0] += f", {over} over the limit"
    if stopped := states.count("stopped"):
        words.append(f"{stopped} stopped early")
    words.append(f"{states.count('failed')} failed")
    if running := states.count("running"):
        words.append(f"{running} running")
    return "; ".join(words)


def alerts(results: Results) -> str:
    """The health sentences of the study."""
    items = "".join(f"<li>{escape(str(text))}</li>" for text in results.info.get("health") or ())
    return f'<ul class="alerts" aria-label="Alerts">{items}</ul>' if items else ""


def cards(results: Results) -> str:
    """The three choices, or a sentence when no trial is within the limits."""
    chosen = choices(results)
    if not chosen:
        return "<p>No finished trial is within the limits.</p>"
    titles: dict[int, list[str]] = {}
    for title, trial in chosen.items():
        titles.setdefault(trial.number, []).append(title)
    made = "".join(card(results, words, results.trial(n)) for n, words in titles.items())
    return f'<div class="cards">{made}</div>'


def card(results: Results, titles: Sequence[str], trial: TrialRecord) -> str:
    """One choice: its first objective large, the rest as a list, and the commands that use it."""
    first = results.objectives[0]
    rows = {
        shared.label(o): shared.objective_text(trial, o) + shared.predicted([trial], o)
        for o in results.objectives[1:]
    }
    rows |= {
        "P(on the front)": shared.probability_text(results, trial),
        "parameters": parameters_text(trial),
        "memory": memory_text(results, trial),
        "modules": shared.modules_text(trial, results),
        "active layers": shared.layers_text(trial, results),
        "learning rate": shared.learning_rate_text(trial),
        "training": training_text(results),
        "default": trial.default,
    }
    items = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items() if v)
    return (
        f'<article class="card" data-trial="{trial.number}">'
        f"<h3>{escape(together(titles))} {shared.select_html(trial)}</h3>"
        f'<p class="value">{escape(shared.objective_text(trial, first))}</p>'
        f'<p class="muted">{escape(shared.label(first))}</p>'
        f'<dl>{"".join(items)}</dl><div class="commands">'
        f"<p>Train it, with a script of your own:</p>"
        f"{shared.command_html(export_command(results, trial, 'train'))}"
        f"<p>Use the adapter as trained here:</p>"
        f"{shared.command_html(export_command(results, trial, 'peft'))}</div></article>"
    )


def training_text(results: Results) -> str:
    """How long the search trained it, such as `100 steps of 16 rows`."""
    protocol = results.info.get("protocol") or {}
    if not {"steps", "batch"} <= protocol.keys():
        return ""
    return f"{protocol['steps']} steps of {protocol['batch']} rows"


def together(titles: Sequence[str]) -> str:
    """The titles of one trial as one, such as `Most accurate, and knee`."""
    first, *rest = titles
    return ", and ".join([first, *(title[:1].lower() + title[1:] for title in rest)])


def parameters_text(trial: TrialRecord) -> str:
    """Trained weights, with the head told apart."""
    trained, head = trial.measurements.get("trainable"), trial.measurements.get("head")
    if trained is None:
        return ""
    text = count_text(trained.value)
    return f"{text}, and {count_text(head.value)} in the head" if head and head.value else text


def memory_text(results: Results, trial: TrialRecord) -> str:
    """Peak training memory, unless an objective shows it already."""
    if any(objective.unit == "B" for objective in results.objectives):
        return ""
    for name, words in (("memory_measured", "measured"), ("memory_predicted", "predicted")):
        if found := trial.measurements.get(name):
            return f"{bytes_text(found.value)} {words}"
    return MISSING


def export_command(results: Results, trial: TrialRecord, target: str) -> str:
    """The command that writes the configuration for a target, and runs it where it is a script."""
    if target == "train":
        return shared.train_command(results.study, trial.number)
    study = shared.quoted(results.study)
    return f"autopeft export {study} {trial.number} --to {target} -o {target}-{trial.number}"


def uncertainty(results: Results) -> str:
    """What the ± means: the metric, the rows and the seeds behind it."""
    first = results.objectives[0].label if results.objectives else "the score"
    trial = shared.finished(results)[0]
    rows = results.info.get("rows") or trial.provenance.get("rows")
    seeds = results.info.get("seeds") or trial.provenance.get("seeds")
    text = f"\N{PLUS-MINUS SIGN} is one standard error of {results.info.get('metric') or first}"
    if rows:
        text += f" over {rows} validation rows"
    if count := seed_count(seeds):
        text += f" and {count} seed{'s' if count > 1 else ''}"
    return (
        f"{text}; a value without it is exact or predicted. A difference may be chance when it is "
        "less than two standard errors of its own."
    )


def seed_count(seeds: Any) -> int:
    """How many seeds, whether they are listed or counted."""
    return len(seeds) if isinstance(seeds, list | tuple) else int(seeds or 0)


VIEW = View(
    title="Summary",
    order=1,
    caption="What to take, whether to trust it, and how it stands against the defaults.",
    unavailable=shared.nothing_yet,
    html=html,
    several=Comparison(
        caption=(
            "One row per study. The hypervolume is the share that its front covers of the box "
            "between the worst and the best values of all studies."
        ),
        html=summary_html,
    ),
)

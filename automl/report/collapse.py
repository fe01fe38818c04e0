"""Whether one-shot searches stayed healthy: collapsed or not, by which alarm, when, and what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from automl.report.charts.embedding import embedded
from automl.report.charts.pictures import health_pictures
from automl.report.wording import plural

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import ReportRow, SearchRow, TrialRow

EVALUATOR: Final = "supernet"
PICTURES: Final = 12  # searches whose figures are in the page
POINTS: Final = 40  # epochs of the strengths that are kept
CURVES: Final = (
    "entropy",
    "none_share",
    "skips",
    "eigenvalue",
    "discretisation_gap",
    "supernet_accuracy",
    "path_accuracy",
)
ALARMS: Final = {"eigenvalue": "eigenvalue of the Hessian", "skips": "skip connections"}
CAPTIONS: Final = {
    "course": "Course of the search",
    "strengths": "Strengths of the operations on each edge",
}
ABOUT: Final = (
    "A search counts as collapsed when the largest eigenvalue of the validation loss's Hessian with respect "
    "to alpha grows too much, or when too many derived operations are skip connections. Gap: accuracy of the "
    "supernet minus that of its discretised path, with shared weights. Tau: Kendall's, between supernet and "
    "stand-alone scores of random networks."
)


def health(
    ledger: Ledger,
    spec: Mapping[str, Any],
    searches: Sequence[SearchRow],
    trials: Mapping[str, Sequence[TrialRow]],
) -> list[dict[str, Any]]:
    """An entry for each one-shot search.

    `collapsed` (None while it runs, or when it failed), `alarm` (`eigenvalue` or `skips`) that rang first,
    `epoch` after which, `action` (`rollback`, `stop` or `warn`), `rollback` (the epoch gone back to),
    `curves` (metric → [epoch, value] pairs), `strengths` (edge → operation → values at `strength_epochs`),
    `gap`, `tau`, `sentence`.
    """
    found = []
    for search in searches:
        arm = spec["arms"].get(search.arm, {})
        evaluator = arm.get("evaluator") or spec["evaluator"]
        if evaluator["name"] != EVALUATOR:
            continue
        reports = ledger.reports(search=search.id)
        for trial in trials[search.id]:
            if trial.kind == "trial":
                method = evaluator["options"].get("method", "darts")
                found.append(_entry(search, trial, method, reports.get(trial.id, ())))
    return found


def _entry(search: SearchRow, trial: TrialRow, method: str, reports: Sequence[ReportRow]) -> dict[str, Any]:
    metrics = {
        name.removeprefix("search_"): value
        for name, value in (trial.metrics or {}).items()
        if name.startswith("search_")
    }
    told = [(row.step, row.metrics or {}) for row in reports if row.value is None]
    entry: dict[str, Any] = {"arm": search.arm, "seed": search.seed, "trial": trial.id, "method": method}
    entry["state"] = trial.state.value
    entry |= _verdict(metrics)
    entry["epochs"] = int(metrics.get("epochs", told[-1][0] if told else 0))
    entry["skips"] = metrics.get("skips")
    entry["tau"], entry["rank_cells"] = metrics.get("rank_tau"), metrics.get("rank_cells")
    seconds, watching = metrics.get("seconds"), metrics.get("health_seconds")
    entry["watching"] = watching / seconds if seconds and watching is not None else None
    entry["curves"] = {name: curve for name in CURVES if (curve := _curve(told, f"search_{name}"))}
    gaps = entry["curves"].get("discretisation_gap", [])
    entry["gap"] = gaps[-1][1] if gaps else None
    entry |= _strengths(told)
    entry["sentence"] = _sentence(entry)
    return entry


def _verdict(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Collapsed or not, by which alarm, after which epoch, and what was done."""
    empty = dict.fromkeys(("alarm", "epoch", "action", "rollback"))
    if "collapsed" not in metrics:
        return {"collapsed": None, **empty}
    if not metrics["collapsed"]:
        return {"collapsed": False, **empty}
    rung = {rule: metrics[f"alarm_{rule}"] for rule in ALARMS if f"alarm_{rule}" in metrics}
    back = metrics.get("rollback_epoch")
    stopped = "stop" if metrics.get("stopped") else "warn"
    return {
        "collapsed": True,
        "alarm": min(rung, key=lambda rule: rung[rule], default=None),
        "epoch": int(metrics["collapse_epoch"]),
        "action": stopped if back is None else "rollback",
        "rollback": None if back is None else int(back),
    }


def _curve(told: Sequence[tuple[int, Mapping[str, float]]], name: str) -> list[list[float]]:
    return [[step, metrics[name]] for step, metrics in told if name in metrics]


def _strengths(told: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, Any]:
    """At most `POINTS` epochs of the strengths, at equal distances, the last one included."""
    seen = [
        (step, metrics) for step, metrics in told if any(name.startswith("strength/") for name in metrics)
    ]
    count = min(len(seen), POINTS)
    seen = [seen[(part + 1) * len(seen) // count - 1] for part in range(count)]
    found: dict[str, dict[str, list[float]]] = {}
    for name in seen[0][1] if seen else ():
        if name.startswith("strength/"):
            _, edge, operation = name.split("/", 2)
            values = [round(metrics.get(name, 0.0), 4) for _, metrics in seen]
            found.setdefault(edge, {})[operation] = values
    return {"strength_epochs": [step for step, _ in seen], "strengths": found}


def _sentence(entry: Mapping[str, Any]) -> str:
    if entry["collapsed"] is None:
        ended = "has not ended" if entry["state"] == "running" else f"the trial has {entry['state']}"
        return f"{ended} ({plural(entry['epochs'], 'epoch')} seen)"
    if not entry["collapsed"]:
        return f"no alarm in {plural(entry['epochs'], 'epoch')}"
    why = ALARMS.get(entry["alarm"], "unknown alarm")
    done = {
        "rollback": f"the genotype of epoch {entry['rollback']} was trained",
        "stop": "the search was stopped there and its genotype trained",
        "warn": "the search went on",
    }[entry["action"]]
    return f"collapsed after epoch {entry['epoch']} ({why}); {done}"


def lines(data: Mapping[str, Any]) -> Iterator[str]:
    """One line of text for each one-shot search; for each arm with many seeds."""
    arms: dict[str, list[Mapping[str, Any]]] = {}
    for entry in data["health"]:
        arms.setdefault(entry["arm"], []).append(entry)
    for arm, entries in arms.items():
        if len(entries) > 5:
            collapsed = sum(bool(entry["collapsed"]) for entry in entries)
            yield f"{arm}: {collapsed} of {plural(len(entries), 'search')} collapsed".replace(
                "searchs", "searches"
            )
            continue
        for entry in entries:
            skips = "" if entry["skips"] is None else f"; {plural(int(entry['skips']), 'skip connection')}"
            yield f"{arm}, seed {entry['seed']}: {entry['sentence']}{skips}"


def section(data: Mapping[str, Any]) -> str:
    """Table and figures of the HTML page; empty without one-shot searches."""
    if not data["health"]:
        return ""
    rows = "".join(_row(entry) for entry in data["health"])
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("seed", "epochs", "skips", "gap", "tau", "watching, % of the search")
    )
    figures = "".join(_figures(entry) for entry in data["health"][:PICTURES])
    return f"""<h2>Health of the one-shot searches</h2>
<div class="scroll"><table><thead><tr><th scope="col">arm</th>{heads}
<th scope="col" class="text">what happened</th></tr></thead><tbody>{rows}</tbody></table></div>
<p class="soft">{escape(ABOUT)}</p>{figures}"""


def _row(entry: Mapping[str, Any]) -> str:
    tau = _number(entry["tau"])
    tau += f" of {entry['rank_cells']:.0f}" if entry["tau"] is not None else ""
    share = None if entry["watching"] is None else 100 * entry["watching"]
    cells = [entry["seed"], entry["epochs"], _number(entry["skips"], 0), _number(entry["gap"])]
    cells += [tau, _number(share, 0)]
    mark = {True: '<span class="chip worse">collapsed</span> ', False: "", None: ""}[entry["collapsed"]]
    return (
        f'<tr><th scope="row">{escape(entry["arm"])}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + f'<td class="text">{mark}{escape(entry["sentence"])}</td></tr>'
    )


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _figures(entry: Mapping[str, Any]) -> str:
    name = f"{entry['arm']}, seed {entry['seed']}"
    shown = "".join(
        f"<figure>{embedded(svg, f'{text}: {name}')}<figcaption>{text}</figcaption></figure>"
        for text, svg in ((CAPTIONS[key], svg) for key, svg in health_pictures(entry).items())
    )
    opened = " open" if entry["collapsed"] else ""
    return f"<details{opened}><summary>{escape(name)}</summary>{shown}</details>" if shown else ""

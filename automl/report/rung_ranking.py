"""Whether the values that trials are pruned by rank them as their final values do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from automl import plugins
from automl.contracts import PluginSpec, UserError
from automl.report.searches import final_values

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import ReportRow, SearchRow, TrialRow

FEWEST: Final = 5  # trials: with fewer, chance alone gives any tau
TRUSTED: Final = 0.5
SHOWN: Final = 5  # steps of a pruner that decides at every step
ABOUT: Final = (
    "Kendall's tau between the values at a rung and the final ones, over complete trials of all seeds: "
    "1 is the same order, 0 no relation; ± is its standard deviation by chance alone. Trials that were "
    "ended early are not in it, which lowers it."
)


def rungs(
    ledger: Ledger,
    spec: Mapping[str, Any],
    searches: Sequence[SearchRow],
    trials: Mapping[str, Sequence[TrialRow]],
) -> dict[str, list[dict[str, Any]]]:
    """By pruning arm, for each rung: `step`, number of `trials`, `tau` (None below 5 trials), `chance`.

    `tau` is Kendall's (tau-b, Biometrika 1938) between the trials' first value at or after the rung and
    their final value, over the complete trials of all seeds that went on beyond the rung; None also when
    all values are equal. `chance` is the standard deviation that tau has where there is no relation.
    """
    found = {}
    for arm, own in spec["arms"].items():
        pruner = own.get("pruner") or {"name": "none"}
        if pruner["name"] == "none":
            continue
        curves = [
            curve
            for search in searches
            if search.arm == arm
            for curve in _curves(trials[search.id], ledger.reports(search=search.id))
        ]
        last = max((step for steps, _ in curves for step in steps), default=0)
        found[arm] = [_rung(step, curves) for step in _steps(pruner, last) if step < last]
    return found


def _curves(
    trials: Sequence[TrialRow], reports: Mapping[str, Sequence[ReportRow]]
) -> Iterator[tuple[dict[int, float], float]]:
    """Value by step, and the final value, of the complete trials."""
    for trial in trials:
        values = final_values(trial)
        if trial.kind == "trial" and values is not None:
            told = {row.step: row.value for row in reports.get(trial.id, ()) if row.value is not None}
            if told:
                yield told, values[0]


def _steps(pruner: Mapping[str, Any], last: int) -> list[int]:
    """The rungs of a pruner; a few of all steps for one that decides at each, or is not here any more."""
    try:
        rungs = plugins.build("pruners", PluginSpec(pruner["name"], pruner.get("options") or {})).rungs(last)
    except UserError:
        rungs = []
    return rungs or sorted({max(1, last * part // SHOWN) for part in range(1, SHOWN)})


def _rung(step: int, curves: Sequence[tuple[dict[int, float], float]]) -> dict[str, Any]:
    pairs = [
        (values[min(reached)], final)
        for values, final in curves
        if (reached := [other for other in values if other >= step]) and max(values) > step
    ]
    count, tau = len(pairs), _tau(pairs)
    chance = None if tau is None else math.sqrt(2 * (2 * count + 5) / (9 * count * (count - 1)))
    return {"step": step, "trials": count, "tau": tau, "chance": chance}


def _tau(pairs: Sequence[tuple[float, float]]) -> float | None:
    from scipy.stats import kendalltau

    if len(pairs) < FEWEST or any(len(set(side)) < 2 for side in zip(*pairs, strict=True)):
        return None
    tau = float(kendalltau(*zip(*pairs, strict=True)).statistic)
    return tau if math.isfinite(tau) else None


def warnings(data: Mapping[str, Any], spec: Mapping[str, Any]) -> list[str]:
    """A line for each arm whose trials are pruned by values that tell too little of the final ones."""
    found = []
    for arm, listed in data["rungs"].items():
        low = [rung for rung in listed if rung["tau"] is not None and rung["tau"] < TRUSTED]
        if low:
            steps = ", ".join(f"{_tau_text(rung)} at step {rung['step']}" for rung in low)
            own = spec["arms"][arm].get("evaluator") or spec["evaluator"]
            remedies = [] if own["options"].get("rungs") else ["schedule: per_rung"]
            found.append(
                f"{arm} ends trials by values that rank them poorly: Kendall's tau with the final value is "
                f"{steps} ({low[0]['trials']} complete trials), so it may end the best ones early; use "
                f"{', '.join([*remedies, 'a later first rung, or no pruner'])}"
            )
    return found


def lines(data: Mapping[str, Any]) -> Iterator[str]:
    """One line of text for each pruning arm."""
    for arm, listed in data["rungs"].items():
        shown = [f"step {rung['step']}: {_tau_text(rung)} of {rung['trials']}" for rung in listed]
        pruner = data["arm_info"][arm]["pruner"]
        yield f"{arm} ({pruner}): {', '.join(shown) or 'no complete trial went beyond a rung'}"


def section(data: Mapping[str, Any]) -> str:
    """The HTML table; empty when no arm prunes."""
    if not data["rungs"]:
        return ""
    rows = [
        f'<tr><th scope="row">{escape(arm)}</th><td>{escape(str(data["arm_info"][arm]["pruner"]))}</td>'
        f"<td>{rung['step']}</td><td>{rung['trials']}</td><td>{_tau_text(rung)}</td></tr>"
        for arm, listed in data["rungs"].items()
        for rung in listed
    ]
    table = f"""<div class="scroll"><table><thead><tr><th scope="col">arm</th><th scope="col">pruner</th>
<th scope="col">step</th><th scope="col">trials</th><th scope="col">tau</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>"""
    about = escape(ABOUT) if rows else "No complete trial has gone beyond a rung yet."
    return f'<h2>Do the rungs rank?</h2>{table if rows else ""}<p class="soft">{about}</p>'


def _tau_text(rung: Mapping[str, Any]) -> str:
    if rung["tau"] is None:
        return "–"
    return f"{rung['tau']:.2f} ± {rung['chance']:.2f}".replace("-", "−")

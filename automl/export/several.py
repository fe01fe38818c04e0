"""Several configurations of one campaign as files: the best ones, or those that nothing else dominates.

Only the winner of a search has been retrained and tested; any other configuration has the one value by which
it was measured, and its certificate says no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automl.contracts import Direction, UserError, digest
from automl.export.certificate import described, find_winner, finished
from automl.export.signing import sign
from automl.export.winner import Winner, write_winner
from automl.report.chosen import Chosen
from automl.report.searches import Best, SearchReport, final_values, finite_config

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import TrialRow
    from automl.ledger.store import Store
    from automl.report import CampaignReport

SIZES: Final = ("parameters", "flops", "latency", "model_size")  # metrics of which less is better


@dataclass(frozen=True)
class Found:
    """A complete trial, its search and its values: of all metrics, or the first and a size."""

    arm: str
    search: SearchReport
    trial: TrialRow
    values: tuple[float, ...]

    @property
    def key(self) -> str:
        """The same for equal configurations."""
        return digest(finite_config(self.trial.derived or self.trial.config))


def export_top(ledger: Ledger, campaign: str, folder: Path, count: int, *, store: Store) -> list[Winner]:
    """Write the winner and the next best configurations on validation data, each once: `count` files."""
    report, _ = finished(ledger, campaign)
    first = find_winner(ledger, campaign).certificate.trial
    sign_of = -1 if report.metric.direction is Direction.MAXIMIZE else 1
    found = sorted(_found(ledger, report), key=lambda one: (one.trial.id != first, sign_of * one.values[0]))
    distinct = list({one.key: one for one in reversed(found)}.values())[::-1]
    rule = "place {place} of the best configurations on validation data, after the winner"
    return _write(ledger, campaign, folder, distinct[:count], rule, store)


def export_pareto(ledger: Ledger, campaign: str, folder: Path, *, store: Store) -> list[Winner]:
    """Write all configurations that no other one dominates, the best by the first metric first.

    By the metrics of the study; where there is one, by that and the size or latency that all trials have
    recorded. Raises `UserError` where nothing of that kind is recorded.
    """
    report, _ = finished(ledger, campaign)
    found, names = _found(ledger, report), [metric.name for metric in report.settings.metrics]
    signs = [-1 if metric.direction is Direction.MAXIMIZE else 1 for metric in report.settings.metrics]
    if len(names) == 1:
        size = _size(found)
        if size is None:
            raise UserError(
                f"a Pareto set needs two measures, but {campaign} has the metric {names[0]} alone, and its "
                f"trials have not recorded {', '.join(SIZES[:-1])} or {SIZES[-1]}; write metrics: "
                f"[{names[0]}, parameters] in the study, or export the best ones: --top-k 5"
            )
        names, signs = [*names, size], [*signs, 1]
        found = [replace(one, values=(one.values[0], (one.trial.metrics or {})[size])) for one in found]
    front = _front(found, signs)
    rule = f"place {{place}} of the Pareto set by {' and '.join(names)}, ordered by {names[0]}"
    return _write(ledger, campaign, folder, front, rule, store)


def _found(ledger: Ledger, report: CampaignReport) -> list[Found]:
    """Every complete trial of every search."""
    found = []
    for name, arm in report.arms.items():
        for search in arm.searches:
            rows = ledger.trials(search=f"{report.campaign}/{name}/{search.seed}")
            complete = [
                (row, values) for row in rows if row.kind == "trial" and (values := final_values(row))
            ]
            found += [Found(name, search, row, values) for row, values in complete]
    if not found:
        raise UserError(
            f"configurations must have a complete trial to be exported, but {report.campaign} has none"
        )
    return found


def _size(found: Sequence[Found]) -> str | None:
    """The first size that every trial has recorded."""
    known = [set(one.trial.metrics or {}) for one in found]
    return next((size for size in SIZES if all(size in metrics for metrics in known)), None)


def _front(found: Sequence[Found], signs: Sequence[int]) -> list[Found]:
    """What no other one dominates, by losses; of equal ones the first."""

    def losses(one: Found) -> list[float]:
        return [sign_of * value for sign_of, value in zip(signs, one.values, strict=True)]

    front: list[Found] = []
    for one in sorted(found, key=losses):  # in this order only an earlier one can dominate a later one
        own = losses(one)
        if not any(all(a <= b for a, b in zip(losses(other), own, strict=True)) for other in front):
            front.append(one)
    return front


def _write(
    ledger: Ledger, campaign: str, folder: Path, chosen: Sequence[Found], rule: str, store: Store
) -> list[Winner]:
    report, row = finished(ledger, campaign)
    winners = []
    for place, one in enumerate(chosen, start=1):
        choice = _choice(one, rule.format(place=place))
        winner = sign(described(ledger, report, row, choice), store)
        number = one.trial.id.rpartition("/")[2]
        write_winner(winner, folder / f"{place:02d}-{one.arm}-{one.search.seed}-{number}.yaml")
        winners.append(winner)
    return winners


def _choice(one: Found, rule: str) -> Chosen:
    """A trial as if it was chosen; what is known of its search's winner alone is left out of any other."""
    trial, search, values = one.trial, one.search, final_values(one.trial) or ()
    derived = None if trial.derived is None else finite_config(trial.derived)
    best = Best(trial.id, values[0], finite_config(trial.config), derived, values)
    if search.best is None or search.best.trial != trial.id:
        search = replace(search, best=best, fresh=(), test=(), final_device_seconds=0.0)
    return Chosen(one.arm, search, best, rule)

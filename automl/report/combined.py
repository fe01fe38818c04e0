"""Winners that predict together with other trials of their search: of which, with which weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from automl.contracts import COMBINED, COMBINED_VALUE, TrialState

if TYPE_CHECKING:
    from automl.ledger.rows import TrialRow
    from automl.report.arms import ArmReport

TITLE: Final = "Ensembles:"
ABOUT: Final = (
    "Fresh and test values of these searches are of the ensembles; a value on validation is of one trial."
)


@dataclass(frozen=True)
class Combined:
    """Retrainings that have combined trials, the first one being `trial`. `members`: how many each.

    `value`: of the metric, by what the evaluator holds back; `told`: its own words on the first one.
    """

    trial: str
    members: int
    value: float | None
    told: str


def combined(finals: Sequence[TrialRow]) -> Combined | None:
    """What the retrainings of a winner have combined; None where it is alone."""
    for row in finals:
        known = row.metrics or {}
        if row.state is TrialState.COMPLETE and COMBINED in known:
            return Combined(row.id, int(known[COMBINED]), known.get(COMBINED_VALUE), row.reason or "")
    return None


def lines(arms: Iterable[ArmReport]) -> Iterator[str]:
    """A line for each search whose winner is not alone."""
    for arm in arms:
        for search in arm.searches:
            if search.combined is not None:
                yield f"{arm.name}, seed {search.seed}: {search.combined.told}"


def section(arms: Iterable[ArmReport]) -> str:
    """The same for a page; empty without any."""
    found = "".join(f"<li>{escape(line)}</li>" for line in lines(arms))
    return f'<h2>Ensembles</h2><ul>{found}</ul><p class="soft">{ABOUT}</p>' if found else ""

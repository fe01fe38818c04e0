"""The runs of searches, one after the other from the ledger: a large search is read in short."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from automl.recorder.wanted_run import WantedRun

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import OpeningRow, SearchRow, TrialSummary
    from automl.recorder.projection import Projection

TOGETHER: Final = 20  # searches that are written in one transaction
POINTS: Final = 50_000  # of them, about


def search_runs(
    ledger: Ledger, projection: Projection, searches: Sequence[SearchRow]
) -> Iterator[list[WantedRun]]:
    """The runs of searches with the totals of their trials and openings, some at once."""
    openings: dict[str, list[OpeningRow]] = defaultdict(list)
    for opening in ledger.all_openings(projection.campaign.id):
        openings[opening.search].append(opening)
    together: list[WantedRun] = []
    for search in searches:
        together.append(_run(ledger, projection, search, openings[search.id]))
        if len(together) == TOGETHER or sum(len(run.metrics) for run in together) > POINTS:
            yield together
            together = []
    if together:
        yield together


def every_trial(ledger: Ledger, campaign: str) -> Iterator[TrialSummary]:
    """All trials of a campaign in short, by search, kind and number."""
    return chain.from_iterable(ledger.summary_pages(campaign))


def _run(
    ledger: Ledger, projection: Projection, search: SearchRow, openings: Sequence[OpeningRow]
) -> WantedRun:
    if projection.shows_trials(search):
        return projection.search_run(search, ledger.trials(search=search.id, light=True), openings)
    winner = [] if search.winner is None else ledger.trials_named([search.winner])
    shown = [*(row for row in winner if row.kind == "trial"), *ledger.trials_after(search.id)]
    return projection.search_run(search, shown, openings, every=ledger.summaries(search.id))

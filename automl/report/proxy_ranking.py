"""Whether zero-cost proxies rank the study's networks as training does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from automl.contracts import PROXY, Direction
from automl.report.arms import ArmReport
from automl.report.evaluations import Trials
from automl.report.markup import Column, note, number, table
from automl.report.plain import finite
from automl.report.searches import final_values

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow

FEWEST: Final = 5  # trials: with fewer, chance alone gives any correlation
TITLE: Final = "Do zero-cost proxies rank networks as training does?"
ABOUT: Final = (
    "Rank correlation between the proxy of an untrained network and the final value of the trained network, "
    "over the complete trials of all arms and seeds that search the study's space: 1 is the same order, "
    "0 is no relation. A proxy is of little use when the number of parameters ranks equally well."
)


@dataclass(frozen=True)
class ProxyRank:
    """A proxy's rank correlations with the final value over n `trials`; None where they say nothing.

    Positive when a higher score goes with a better value. Kendall's is tau-b.
    """

    proxy: str
    trials: int
    spearman: float | None
    kendall: float | None


def proxies(
    searches: Sequence[SearchRow], trials: Trials, arms: Mapping[str, ArmReport], direction: Direction
) -> tuple[ProxyRank, ...]:
    """The rank of each recorded proxy, the highest Spearman correlation first.

    A proxy with fewer than 5 trials, or with equal scores or values only, has no correlation.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for search in searches:
        for trial in trials[search.id] if arms[search.arm].info.shared else ():
            values = final_values(trial)
            if trial.kind == "trial" and values is not None:
                for name, score in (trial.metrics or {}).items():
                    if name.startswith(PROXY):
                        pairs.setdefault(name.removeprefix(PROXY), []).append((score, values[0]))
    ranks = [_rank(proxy, both, direction) for proxy, both in sorted(pairs.items())]
    return tuple(sorted(ranks, key=lambda rank: math.inf if rank.spearman is None else -rank.spearman))


def _rank(proxy: str, pairs: Sequence[tuple[float, float]], direction: Direction) -> ProxyRank:
    if len(pairs) < FEWEST or any(len(set(side)) < 2 for side in zip(*pairs, strict=True)):
        return ProxyRank(proxy, len(pairs), None, None)
    # scipy.stats takes a while to import
    from scipy.stats import kendalltau, spearmanr

    sign = 1 if direction is Direction.MAXIMIZE else -1
    scores, values = zip(*pairs, strict=True)
    return ProxyRank(
        proxy,
        len(pairs),
        spearman=finite(sign * float(spearmanr(scores, values).statistic)),
        kendall=finite(sign * float(kendalltau(scores, values).statistic)),
    )


def lines(ranks: Sequence[ProxyRank]) -> Iterator[str]:
    """One line of text for each proxy."""
    width = max((len(rank.proxy) for rank in ranks), default=0)
    for rank in ranks:
        yield (
            f"{rank.proxy:{width}}  Spearman {number(rank.spearman)}, Kendall {number(rank.kendall)} "
            f"({rank.trials} trials)"
        )


def section(ranks: Sequence[ProxyRank]) -> str:
    """The HTML table; empty when no proxy was recorded."""
    if not ranks:
        return ""
    columns = [Column(heading) for heading in ("proxy", "Spearman", "Kendall", "trials")]
    rows = [
        [escape(rank.proxy), number(rank.spearman), number(rank.kendall), str(rank.trials)] for rank in ranks
    ]
    return f"<h2>{TITLE}</h2>{table(columns, rows)}{note(ABOUT)}"

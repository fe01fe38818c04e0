"""Whether zero-cost proxies rank the study's networks as training does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from automl.contracts import PROXY, Direction
from automl.report.searches import final_values

if TYPE_CHECKING:
    from automl.ledger.rows import SearchRow, TrialRow

FEWEST: Final = 5  # trials: with fewer, chance alone gives any correlation
ABOUT: Final = (
    "Rank correlation of a proxy of the untrained network with the trained one's final value, over the "
    "complete trials of all arms and seeds that search the study's space: 1 is the same order, better first; "
    "0 no relation. A proxy that does not beat the number of parameters tells little."
)


def proxies(
    searches: Sequence[SearchRow],
    trials: Mapping[str, Sequence[TrialRow]],
    arms: Mapping[str, Mapping[str, Any]],
    direction: Direction,
) -> list[dict[str, Any]]:
    """For each logged `proxy` its `spearman` and `kendall` (tau-b) with the final value over n `trials`.

    Positive when a higher score goes with a better value. None below 5 trials and where all
    scores or all values are equal. The highest `spearman` comes first.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for search in searches:
        for trial in trials[search.id] if arms[search.arm]["shared"] else ():
            values = final_values(trial)
            if trial.kind == "trial" and values is not None:
                for name, score in (trial.metrics or {}).items():
                    if name.startswith(PROXY):
                        pairs.setdefault(name.removeprefix(PROXY), []).append((score, values[0]))
    found = [
        {"proxy": proxy, "trials": len(both), **_correlations(both, direction)}
        for proxy, both in sorted(pairs.items())
    ]
    return sorted(found, key=lambda row: math.inf if row["spearman"] is None else -row["spearman"])


def _correlations(pairs: Sequence[tuple[float, float]], direction: Direction) -> dict[str, float | None]:
    if len(pairs) < FEWEST or any(len(set(side)) < 2 for side in zip(*pairs, strict=True)):
        return {"spearman": None, "kendall": None}
    from scipy.stats import kendalltau, spearmanr

    sign = 1 if direction is Direction.MAXIMIZE else -1
    scores, values = zip(*pairs, strict=True)
    return {
        "spearman": sign * float(spearmanr(scores, values).statistic),
        "kendall": sign * float(kendalltau(scores, values).statistic),
    }


def lines(data: Mapping[str, Any]) -> Iterator[str]:
    """One line of text for each proxy."""
    width = max((len(row["proxy"]) for row in data["proxies"]), default=0)
    for row in data["proxies"]:
        yield (
            f"{row['proxy']:{width}}  Spearman {_number(row['spearman'])}, Kendall {_number(row['kendall'])} "
            f"({row['trials']} trials)"
        )


def section(data: Mapping[str, Any]) -> str:
    """The HTML table; empty when no proxy was logged."""
    if not data["proxies"]:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(row["proxy"])}</th><td>{_number(row["spearman"])}</td>'
        f"<td>{_number(row['kendall'])}</td><td>{row['trials']}</td></tr>"
        for row in data["proxies"]
    )
    return f"""<h2>Do the proxies rank?</h2><div class="scroll"><table><thead><tr><th scope="col">proxy</th>
<th scope="col">Spearman</th><th scope="col">Kendall</th><th scope="col">trials</th></tr></thead>
<tbody>{rows}</tbody></table></div><p class="soft">{escape(ABOUT)}</p>"""


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")

"""Reports and comparisons that print themselves: as text, and as HTML in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from io import StringIO

from rich.console import Console, RenderableType

from automl import report
from automl.comparing import campaigns as _campaigns
from automl.comparing import terminal as _terminal
from automl.contracts import Direction
from automl.explaining import Explanation
from automl.explaining import page as _explained_page
from automl.explaining import terminal as _explained
from automl.report import CampaignReport

WIDTH = 110  # characters


class Report(CampaignReport):
    """The report of a campaign: `arms`, `comparison`, `evaluations`, `warnings`, and more.

    `str` reads like `automl report`.
    """

    def __str__(self) -> str:
        return text(report.terminal(self))

    def __repr__(self) -> str:
        return f"<Report of {self.campaign}: {self.status}>"

    def _repr_html_(self) -> str:
        return summary(self)

    def html(self) -> str:
        """The self-contained page that `automl report --html` writes."""
        return report.html(self)


class _Preformatted:
    """In a notebook it is the text that it prints."""

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Comparison(_Preformatted, _campaigns.Comparison):
    """Campaigns side by side; `str` reads like `automl compare`."""

    def __str__(self) -> str:
        return text(_terminal.terminal(self, WIDTH))

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(side.campaign for side in self.sides)}>"


class Explained(_Preformatted, Explanation):
    """What a winner goes by: `columns`, `dependence`, `worst`, `groups`, and more; `to_json` has all.

    `str` reads like `automl explain`.
    """

    def __str__(self) -> str:
        return text(_explained.terminal(self))

    def __repr__(self) -> str:
        return f"<Explanation of {self.trial}>"

    def html(self) -> str:
        """The self-contained page that `automl explain --html` writes."""
        return _explained_page.html(self)


def text(shown: RenderableType) -> str:
    """What rich would print, without colours."""
    out = StringIO()
    Console(file=out, width=WIDTH, color_system=None).print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def summary(found: CampaignReport) -> str:
    """A campaign in a few lines of HTML: its arms, verdicts, winner and warnings."""
    units, chosen = found.units, found.chosen
    rows = []
    for arm in found.ranked:
        star = "★ " if chosen is not None and chosen.arm == arm.name else ""
        values = [search.best.value for search in arm.searches if search.best is not None]
        best = _best(values, found.metric.direction)
        cost = "–" if arm.device_seconds is None else f"{arm.device_seconds:.4g}"
        complete, pruned, failed = arm.counts
        rows.append([f"{star}{arm.name}", units.value(best), f"{complete}/{pruned}/{failed}", cost])
    titles = ["arm", f"best {units.label(found.metric.name)}", "complete/pruned/failed", "device-seconds"]
    lines = [verdict.sentence for verdict in found.comparison.verdicts]
    parts = [f"<p><b>{escape(found.campaign)}</b> {escape(found.status)}</p>", _table(titles, rows)]
    if chosen is not None:
        config = ", ".join(f"{name}={value}" for name, value in chosen.best.trained.items())
        parts.append(f"<p>Winner: {escape(chosen.best.trial)}: {escape(config)}</p>")
    parts += [_list(lines), _list(f"warning: {line}" for line in found.warnings)]
    return f"<div>{''.join(parts)}</div>"


def _best(values: Sequence[float], direction: Direction) -> float | None:
    if not values:
        return None
    return max(values) if direction is Direction.MAXIMIZE else min(values)


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _list(lines: Iterable[str]) -> str:
    items: Iterator[str] = (f"<li>{escape(line)}</li>" for line in lines)
    joined = "".join(items)
    return f"<ul>{joined}</ul>" if joined else ""

"""The report in the terminal: a table, the verdicts, the warnings. Readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from automl.report import (
    collapse,
    combined,
    comparison,
    constrained,
    deciding,
    failures,
    few_shot,
    last,
    optimism,
    proxy_ranking,
    ranking,
    reevaluated,
    remembered,
    rung_ranking,
    transferred_shown,
    verdicts,
)
from automl.report.campaign_report import CampaignReport
from automl.report.wording import budget_text


def terminal(report: CampaignReport) -> RenderableType:
    """A report as something that rich can print."""
    units = report.units
    chosen = report.chosen
    parts: list[RenderableType] = [
        _header(report),
        Text(),
        comparison.terminal_table(report.ranked, report.comparison, report.metric, units, chosen),
        *([Text(comparison.why_chosen(chosen, report.metric, units))] if chosen else []),
        Text(comparison.LEGEND, style="dim"),
        Text(),
    ]
    parts += verdicts.terminal(report.comparison.verdicts, report.openings)
    parts += _bullets(ranking.TITLE, ranking.lines(report.comparison), about=ranking.ABOUT)
    parts += _bullets(optimism.TITLE, optimism.lines(report.comparison.optimism, units))
    parts += _bullets(combined.TITLE, combined.lines(report.ranked), about=combined.ABOUT)
    by_thresholds = deciding.lines(report.ranked, report.metric.name)
    parts += _bullets(deciding.TITLE, by_thresholds, about=deciding.ABOUT)
    kept = constrained.lines(report.constraints, report.ranked, chosen)
    parts += _bullets(constrained.TITLE, kept, about=constrained.ABOUT)
    again = reevaluated.lines(report.reevaluated, report.settings, units)
    parts += _bullets(reevaluated.TITLE, again, about=reevaluated.ABOUT)
    others = (report.transfers, report.settings, report.comparison, units, chosen)
    parts += transferred_shown.terminal(*others)
    parts += last.terminal(report.last)
    parts += few_shot.terminal(report.ranked_few_shot, units, chosen)
    parts += _bullets(rung_ranking.TITLE, rung_ranking.lines(report.rungs), about=rung_ranking.ABOUT)
    parts += _bullets(proxy_ranking.TITLE, proxy_ranking.lines(report.proxies), about=proxy_ranking.ABOUT)
    parts += _bullets(collapse.TITLE, collapse.lines(report.collapse))
    parts += _bullets(failures.TITLE, failures.lines(report.failures), style="bold red")
    parts += _bullets(remembered.TITLE, remembered.lines(report.remembered), about=remembered.ABOUT)
    parts += _bullets("Warnings:", report.warnings, style="bold yellow")
    return Group(*parts)


def _header(report: CampaignReport) -> Text:
    settings = report.settings
    text = Text(report.campaign, style="bold")
    text.append(f"  {report.status}\n", style="green" if report.status == "finished" else "yellow")
    about = [settings.dataset, settings.space_name, budget_text(settings.budget)]
    text.append(" · ".join(part for part in about if part), style="dim")
    return text


def _bullets(
    title: str, lines: Iterable[str], *, about: str = "", style: str = "bold"
) -> Iterator[RenderableType]:
    """A title, its lines and an explanation; nothing without lines."""
    shown = list(lines)
    if not shown:
        return
    yield Text(f"\n{title}", style=style)
    for line in shown:
        yield Padding(Text(f"• {line}"), (0, 0, 0, 2))
    if about:
        yield Text(about, style="dim")

"""The comparison of campaigns as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from automl.comparing.campaigns import Comparison, Pair, Side
from automl.comparing.terminal import units_of
from automl.identity import Change
from automl.report.arms import arm_order
from automl.report.charts.anytime import curves
from automl.report.chosen import STAR
from automl.report.comparison import why_chosen
from automl.report.last import about, listed
from automl.report.markup import Column, note, table
from automl.report.page import page
from automl.report.plots import Plot
from automl.report.searches import Level
from automl.report.wording import seconds

_LEVELS: tuple[Level, ...] = ("validation", "fresh", "test")


def html(comparison: Comparison) -> str:
    """A self-contained page."""
    groups = comparison.groups
    plots = {plot.name: plot for i, group in enumerate(groups) if (plot := _plot(group, i)) is not None}
    names = " · ".join(side.campaign for side in comparison.sides)
    main = [_pairs(pair) for pair in comparison.pairs]
    for i, group in enumerate(groups):
        main.append(_group(group))
        if f"plot-anytime-{i}" in plots:
            main.append(plots[f"plot-anytime-{i}"].html)
    main.append("<h2>Winners</h2>")
    main += [_winner(side) for side in comparison.sides]
    main += [_changes(pair) for pair in comparison.pairs]
    header = f"<header>\n<h1>Campaigns compared</h1>\n<p>{escape(names)}</p>\n</header>"
    return page(f"Comparison of {names}", header, "\n".join(main), "", plots)


def _pairs(pair: Pair) -> str:
    found = pair.against
    entries = [(found.answer, found.sentence), *((arm.answer, arm.sentence) for arm in found.arms)]
    rest = [
        f"{text} {found.campaign}: {', '.join(arms)}."
        for text, arms in (("Only in", found.added), ("No more in", found.removed))
        if arms
    ]
    title = f"<h2>{escape(found.campaign)} against {escape(found.against)}</h2>"
    return "\n".join([title, listed(entries), about(found), *map(note, rest)])


def _group(group: Sequence[Side]) -> str:
    units, metric = units_of(group), group[0].report.metric
    columns = [Column(name) for name in ("arm", "campaign", "complete", "pruned", "failed", "device time")]
    columns += [Column(level) for level in _LEVELS]
    names = arm_order(group[0].report.settings, [arm for side in group for arm in side.report.arms])
    rows = []
    for name in names:
        for side in group:
            if name not in side.report.arms:
                continue
            arm, chosen = side.report.arms[name], side.report.chosen
            star = f" {STAR}" if chosen is not None and chosen.is_of(name) else ""
            summary = side.report.comparison.summary[name]
            cost = seconds(arm.device_seconds)
            values = [units.spread(summary.level(level)) for level in _LEVELS]
            rows.append([escape(name), escape(side.campaign + star), *map(str, arm.counts), cost, *values])
    about_values = f"{units.label(metric.name)} ({metric.direction}): mean ± standard deviation over seeds."
    campaigns = ", ".join(escape(f"{side.campaign} ({_day(side)})") for side in group)
    return f"<h2>Arms</h2>\n<p>{campaigns}</p>\n{table(columns, rows)}\n{note(about_values)}"


def _day(side: Side) -> str:
    day = datetime.fromtimestamp(side.report.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{side.report.status}, started {day}"


def _plot(group: Sequence[Side], number: int) -> Plot | None:
    arms = {f"{side.campaign} {name}": arm for side in group for name, arm in side.report.arms.items()}
    metric = group[0].report.metric.name
    figure = curves(arms, metric, units_of(group))
    if figure is None:
        return None
    return Plot(
        f"plot-anytime-{number}",
        f"Best {metric} so far against device-seconds, a curve for each arm of each campaign",
        figure,
        "Mean over seeds; the band goes from the worst to the best seed.",
    )


def _winner(side: Side) -> str:
    report = side.report
    if report.chosen is None:
        return note(f"{side.campaign}: no winner, it is {report.status}.")
    why = why_chosen(report.chosen, report.metric, report.units)
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
        for name, value in report.chosen.best.trained.items()
    )
    listing = f"<details><summary>configuration</summary><dl>{rows}</dl></details>"
    return f"<p>{escape(f'{side.campaign}: {why}')}.</p>\n{listing}"


def _changes(pair: Pair) -> str:
    parts = [
        f"<h2>What else differs from {escape(pair.against.against)} to {escape(pair.against.campaign)}</h2>"
    ]
    for title, items in pair.differences.titled().items():
        parts.append(f"<h3>{escape(title)}</h3>")
        parts.append(_table(items) if items else note("the same"))
    parts += [note(f"Not known: {line}.") for line in pair.differences.unknown]
    return "\n".join(parts)


def _table(items: Sequence[Change]) -> str:
    columns = [Column("item"), Column("before", "text"), Column("now", "text")]
    rows = [[escape(text or "–") for text in (item.item, item.before, item.after)] for item in items]
    return table(columns, rows)

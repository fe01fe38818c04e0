"""The comparison of campaigns in the terminal. Readable at 60 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from automl.comparing.campaigns import Comparison, Pair, Side
from automl.comparing.sparkline import sparkline
from automl.report.arms import arm_order
from automl.report.charts.anytime import band_of
from automl.report.chosen import STAR
from automl.report.comparison import why_chosen
from automl.report.last import marked as answered
from automl.report.searches import Level
from automl.report.wording import Units, seconds

WIDE = 100  # columns from which counts and costs are shown
SHOWN = 12  # changes of one kind
_LEGEND = (
    "curve: best value so far against device-seconds, mean over seeds, all on the same axes; ★: has the "
    "campaign's winner; test: as reported, it decides nothing"
)
_SHOWN_LEVELS: tuple[Level, ...] = ("validation", "fresh", "test")


def terminal(comparison: Comparison, width: int) -> RenderableType:
    """The comparison for a terminal of `width` columns."""
    parts: list[RenderableType] = []
    for group in comparison.groups:
        parts += [_table(group, width), Text()]
    parts += [Text(_LEGEND, style="dim")]
    parts += [line for side in comparison.sides for line in _winner(side)]
    for pair in comparison.pairs:
        parts += _pair(pair)
    return Group(*parts)


def units_of(sides: Sequence[Side]) -> Units:
    """The units in which values of several campaigns are shown."""
    values = [
        value
        for side in sides
        for arm in side.report.arms.values()
        for search in arm.searches
        for value in (*([search.best.value] if search.best else []), *search.fresh, *search.test)
    ]
    return Units.of(sides[0].report.metric.name, values)


def _table(group: Sequence[Side], width: int) -> Table:
    units, metric = units_of(group), group[0].report.metric
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.title = Text(f"{units.label(metric.name)} ({metric.direction}), mean ± sd over seeds", style="dim")
    shown.title_justify = "left"
    shown.add_column("arm, campaign", overflow="fold")
    wide, columns = width >= WIDE, 20 if width >= WIDE else 8
    shown.add_column("curve", no_wrap=True)
    for heading in ("trials", "device time") if wide else ():
        shown.add_column(heading, justify="right", no_wrap=True)
    levels = _SHOWN_LEVELS if wide else _SHOWN_LEVELS[1:] if _has_fresh(group) else _SHOWN_LEVELS[::2]
    for level in levels:
        shown.add_column(level, justify="right", no_wrap=True)
    curves = _curves(group, columns)
    names = arm_order(group[0].report.settings, [arm for side in group for arm in side.report.arms])
    for name in names:
        shown.add_row(Text(name, style="bold"))
        for side in group:
            if name in side.report.arms:
                arm = side.report.arms[name]
                more = ["/".join(map(str, arm.counts)), seconds(arm.device_seconds)] if wide else []
                values = [units.spread(side.report.comparison.summary[name].level(level)) for level in levels]
                label = Text(f"  {side.campaign}{f' {STAR}' if _won(side, name) else ''}")
                shown.add_row(label, curves[side.campaign, name], *more, *values)
    return shown


def _won(side: Side, arm: str) -> bool:
    return side.report.chosen is not None and side.report.chosen.is_of(arm)


def _has_fresh(group: Sequence[Side]) -> bool:
    return any(search.fresh for side in group for arm in side.report.arms.values() for search in arm.searches)


def _curves(group: Sequence[Side], columns: int) -> dict[tuple[str, str], str]:
    """The curves of all arms, on common axes."""
    bands = {(side.campaign, name): band_of(arm) for side in group for name, arm in side.report.arms.items()}
    known = {key: list(zip(band.x, band.middle, strict=True)) for key, band in bands.items() if band}
    end = max((points[-1][0] for points in known.values()), default=0.0)
    late = [y for points in known.values() for x, y in points if x >= 0.05 * end or x == points[-1][0]]
    return {
        key: sparkline(known[key], columns, end, min(late), max(late)) if key in known else ""
        for key in bands
    }


def _winner(side: Side) -> Iterator[RenderableType]:
    report = side.report
    if report.chosen is None:
        yield Text(f"{side.campaign}: no winner, it is {report.status}", style="yellow")
    else:
        yield Text(f"{side.campaign}: {why_chosen(report.chosen, report.metric, report.units)}")


def _pair(pair: Pair) -> Iterator[RenderableType]:
    found = pair.against
    yield Text(f"\n{found.campaign} against {found.against}", style="bold")
    yield answered(found.answer, found.sentence)
    for arm in found.arms:
        yield answered(arm.answer, arm.sentence)
    for text, arms in (("only in", found.added), ("no more in", found.removed)):
        if arms:
            yield Padding(Text(f"{text} {found.campaign}: {', '.join(arms)}"), (0, 0, 0, 2))
    for title, items in pair.differences.titled().items():
        yield Padding(Text(f"{title}: {'the same' if not items else ''}", style="bold"), (0, 0, 0, 2))
        for change in items[:SHOWN]:
            yield Padding(Text(f"• {change}"), (0, 0, 0, 4))
        if len(items) > SHOWN:
            yield Padding(Text(f"and {len(items) - SHOWN} more (--json has all)", style="dim"), (0, 0, 0, 4))
    for line in pair.differences.unknown:
        yield Padding(Text(f"not known: {line}", style="yellow"), (0, 0, 0, 2))

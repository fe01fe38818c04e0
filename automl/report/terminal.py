"""The report in the terminal: a table, the verdicts, what to know. Readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from automl.contracts import ADAPTATION_STEPS
from automl.report import collapse, meta, proxy_ranking, rung_ranking
from automl.report.comparison import LEVELS
from automl.report.wording import COMPARED, Units, budget_text, plural, seconds, test_set, units_of

_LEGEND: Final = (
    "trials: complete/pruned/failed over all seeds; device time: of one search; validation: "
    "its best trial; fresh: that one retrained with new seeds; test: those models, sealed until then"
)
_MARKS: Final = {
    "better": ("better", "bold green"),
    "worse": ("worse", "bold red"),
    "undecided": ("?", "bold yellow"),
}


def terminal(data: Mapping[str, Any]) -> RenderableType:
    """What `collect` gave, as something rich can print."""
    units = units_of(data)
    parts: list[RenderableType] = [
        _header(data),
        Text(),
        _table(data, units),
        Text(_LEGEND, style="dim"),
        Text(),
    ]
    parts += _verdicts(data)
    parts += _meta(data, units)
    parts += _rungs(data)
    parts += _proxies(data)
    parts += _health(data)
    parts += _warnings(data)
    return Group(*parts)


def _header(data: Mapping[str, Any]) -> Text:
    text = Text(data["campaign"], style="bold")
    text.append(f"  {data['status']}\n", style="green" if data["status"] == "finished" else "yellow")
    about = [data["dataset"], (data["space"] or {}).get("name"), budget_text(data["budget"])]
    text.append(" · ".join(part for part in about if part), style="dim")
    return text


def _table(data: Mapping[str, Any], units: Units) -> Table:
    seeds = max((len(searches) for searches in data["arms"].values()), default=0)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.title = Text(f"{units.label(data['metric'])}, mean ± sd over {plural(seeds, 'seed')}", style="dim")
    table.title_justify = "left"
    table.add_column("arm", overflow="fold")
    table.add_column("trials", justify="right", no_wrap=True)
    table.add_column("device time", justify="right", no_wrap=True)
    levels = LEVELS[::-1]
    for level in levels:
        compared = level == data["compared"]
        table.add_column(level, justify="right", no_wrap=True, style="bold" if compared else "")
    for arm in data["ranking"]:
        searches = data["arms"][arm]
        cost = fmean(search["device_seconds"] for search in searches) if searches else None
        values = [units.spread(data["summary"][arm][level]) for level in levels]
        table.add_row(Text(arm), _counts(searches), seconds(cost), *values)
    return table


def _counts(searches: list[dict[str, Any]]) -> str:
    states = ("complete", "pruned", "failed")
    return "/".join(str(sum(search["trials"][state] for search in searches)) for state in states)


def _verdicts(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    if not data["verdicts"]:
        return
    yield Text(f"Compared by {COMPARED[data['compared']]}:", style="bold")
    for verdict in data["verdicts"]:
        mark, style = _MARKS[verdict["verdict"]]
        line = Table.grid(padding=(0, 2, 0, 0))
        line.add_column(width=6)
        line.add_column(overflow="fold")
        line.add_row(Text(mark, style=style), Text(verdict["sentence"]))
        yield Padding(line, (0, 0, 0, 2))
    if data["verdicts"][0]["comparisons"] > 1:
        yield Text(
            "p corrected for all comparisons (Holm) decides; intervals are each pair's own.", style="dim"
        )
    if data["dataset"]:
        yield Text(test_set(data["test_openings"]), style="dim")


def _meta(data: Mapping[str, Any], units: Units) -> Iterator[RenderableType]:
    for title, rows in meta.table(data, units):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        table.title, table.title_justify = Text(f"\n{title}", style="dim"), "left"
        table.add_column("arm", overflow="fold")
        last = f"after {'/'.join(map(str, ADAPTATION_STEPS))} steps"
        for name in ("train", "test [95 %]", "− train", last):
            table.add_column(name, justify="right")
        for arm, _, _, train, _, test, gap, steps, _ in rows:
            table.add_row(Text(arm), train, Text(test), gap, steps)
        yield table
    if data["meta"]:
        yield Text(meta.ABOUT, style="dim")


def _rungs(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    if data["rungs"]:
        yield Text("\nDo the rungs rank?", style="bold")
        for line in rung_ranking.lines(data):
            yield Padding(Text(f"• {line}"), (0, 0, 0, 2))
        yield Text(rung_ranking.ABOUT, style="dim")


def _proxies(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    if data["proxies"]:
        yield Text("\nDo the zero-cost proxies rank?", style="bold")
        for line in proxy_ranking.lines(data):
            yield Padding(Text(f"• {line}"), (0, 0, 0, 2))
        yield Text(proxy_ranking.ABOUT, style="dim")


def _health(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    if data["health"]:
        yield Text("\nDid the one-shot searches stay healthy?", style="bold")
        for line in collapse.lines(data):
            yield Padding(Text(f"• {line}"), (0, 0, 0, 2))


def _warnings(data: Mapping[str, Any]) -> Iterator[RenderableType]:
    if data["warnings"]:
        yield Text("\nTo know:", style="bold yellow")
    for warning in data["warnings"]:
        yield Padding(Text(f"• {warning}"), (0, 0, 0, 2))

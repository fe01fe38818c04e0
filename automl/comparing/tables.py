"""The leaderboard and the history in the terminal. Readable at 60 columns."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automl.comparing.history import Claim, History
from automl.comparing.leaderboard import Board, Entry, Leaderboard
from automl.comparing.terminal import WIDE
from automl.report.verdicts import BASELINE
from automl.report.wording import Units, p_text, plural, seconds

SHOWN = 40  # claims
APART = "Campaigns on other data, or measured otherwise, are ranked apart: their values do not compare."
ENTRY = (
    "",
    "campaign",
    "arm",
    "config",
    "value",
    "fresh",
    "95 % interval",
    "test",
    "seeds",
    "device time",
    "date",
)
CLAIM = (
    "campaign",
    "arm",
    "verdict",
    "difference",
    "p",
    "then",
    "seeds",
    "metric",
    "compared",
    "data",
    "date",
)
_NARROW = 5  # columns of claims


def leaderboard(found: Leaderboard, width: int) -> RenderableType:
    """A table for each group of campaigns that can be ranked together."""
    parts: list[RenderableType] = [Text(found.study, style="bold")]
    for i, board in enumerate(found.boards):
        parts += [Text(), *_board(board, width, latest=i == 0)]
    if len(found.boards) > 1:
        parts += [Text(), Text(APART, style="yellow")]
    return Group(*parts)


def history(found: History, width: int) -> RenderableType:
    """How each arm fared, then every claim, the newest first."""
    parts: list[RenderableType] = [Text(f"{found.dataset}: {extent(found)}", style="bold")]
    if len(found.datas) > 1:
        parts.append(Text(versions(found), style="yellow"))
    parts += [Text(openings(found), style="dim"), Text(), _arms(found)]
    parts += [Text(), _claims(found, width)]
    if len(found.claims) > SHOWN:
        parts.append(Text(f"and {len(found.claims) - SHOWN} earlier ones (--json has all)", style="dim"))
    parts.append(Text(correction(found, then=width >= WIDE), style="dim"))
    parts += [Text(f"{campaign} is left out: {why}", style="dim") for campaign, why in found.left_out]
    return Group(*parts)


def extent(found: History) -> str:
    """How many campaigns of how many studies."""
    return f"{plural(found.campaigns, 'campaign')} of {plural(len(found.studies), 'study', 'studies')}"


def versions(found: History) -> str:
    """The versions of the data, with their campaigns."""
    listed = ", ".join(f"{digest[:12] if digest else 'unknown'} ({count})" for digest, count in found.datas)
    return f"on {len(found.datas)} versions of the data: {listed}"


def openings(found: History) -> str:
    """How often the test set was opened."""
    text = f"the test set was opened {plural(found.test_openings, 'time')} in all"
    if found.transfer_openings:
        text += f", {found.transfer_openings} of them for winners of campaigns on other data"
    return text


def correction(found: History, *, then: bool) -> str:
    """What p is, and what `then` is where that is shown."""
    return (
        f"p: corrected over all {plural(found.comparisons, 'comparison')} on this dataset (Holm), so that "
        "the chance of any false win is at most 5 %"
        + ("; then: the verdict in the campaign's own report" if then else "")
    )


def _new_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")


def _board(board: Board, width: int, *, latest: bool) -> list[RenderableType]:
    units = units_of_board(board)
    wide, shown = width >= WIDE, _new_table()
    shown.title = Text(f"{units.label(board.metric.name)} ({board.metric.direction})", style="dim")
    for heading in ENTRY if wide else (*ENTRY[:3], *ENTRY[5:9]):
        text = heading in ("campaign", "arm", "config", "date")
        shown.add_column(heading, justify="left" if text else "right", overflow="fold")
    for entry in board.entries:
        cells = entry_cells(entry, units)
        shown.add_row(*(cells if wide else [*cells[:3], *cells[5:9]]))
    return [Text(about(board, latest=latest), style="bold"), shown, Text(ranked_by(board), style="dim")]


def units_of_board(board: Board) -> Units:
    """The units in which values of a board are shown."""
    known = [value for entry in board.entries for value in (entry.value, entry.fresh, entry.test)]
    return Units.of(board.metric.name, [value for value in known if value is not None])


def about(board: Board, *, latest: bool) -> str:
    """Which data the campaigns of a board are on."""
    data = f"data {board.data[:12]}" if board.data else "no digest of data: perhaps not all the same"
    return " · ".join(part for part in (board.dataset or "", data, "the latest" if latest else "") if part)


def ranked_by(board: Board) -> str:
    """What decides the ranks of a board."""
    by = "mean over seeds of the winner's arm, fresh-seed retrainings"
    if board.level == "validation":
        by = "the winner's validation value, since not all have retrainings: it flatters long searches"
    return f"ranked by: {by}"


def entry_cells(entry: Entry, units: Units) -> list[str | Text]:
    """What a campaign shows in each column of `ENTRY`."""
    interval = "–"
    if entry.interval is not None:
        interval = " to ".join(units.value(end) for end in entry.interval)
    place = str(entry.rank) if entry.rank is not None else "–"
    name = entry.campaign if entry.status == "finished" else f"{entry.campaign} ({entry.status})"
    cells: list[str | Text] = [place, Text(name), Text(entry.arm or "–")]
    values = [units.value(entry.fresh), interval, units.value(entry.test), str(entry.seeds)]
    more = [seconds(entry.device_seconds), _day(entry.created_at)]
    return [*cells, entry.config or "–", units.value(entry.value), *values, *more]


def _arms(found: History) -> Table:
    shown = _new_table()
    shown.title = Text(f"against {BASELINE}, campaigns", style="dim")
    shown.add_column("arm", overflow="fold")
    for heading in ("better", "worse", "undecided"):
        shown.add_column(heading, justify="right")
    for arm in found.arms:
        shown.add_row(Text(arm.arm), str(arm.better), str(arm.worse), str(arm.undecided))
    return shown


def _claims(found: History, width: int) -> Table:
    shown = _new_table()
    columns = len(CLAIM) if width >= WIDE else _NARROW
    for heading in CLAIM[:columns]:
        right = heading in ("difference", "p", "seeds")
        shown.add_column(heading, justify="right" if right else "left", overflow="fold")
    for claim in found.claims[:SHOWN]:
        shown.add_row(*claim_cells(claim)[:columns])
    return shown


def claim_cells(claim: Claim) -> list[str | Text]:
    """What a claim shows in each column of `CLAIM`."""
    units = Units.of(claim.metric, [abs(claim.difference or 0.0)])
    size = "–" if claim.difference is None else units.difference(claim.difference, sign=True)
    p_value = "–" if claim.p_value is None else p_text(claim.p_value).removeprefix("p ").removeprefix("= ")
    return [
        Text(claim.campaign),
        Text(claim.arm),
        claim.verdict,
        size,
        p_value,
        claim.then,
        str(claim.seeds),
        Text(claim.metric),
        claim.compared,
        claim.data[:8] if claim.data else "–",
        _day(claim.created_at),
    ]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")

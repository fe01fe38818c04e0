"""The leaderboard and the history as HTML pages: the rows of the terminal, all of them."""

from __future__ import annotations

from html import escape

from automl.comparing import tables
from automl.comparing.history import Claim, History
from automl.comparing.leaderboard import Board, Leaderboard
from automl.report.markup import Column, note, table
from automl.report.page import page
from automl.report.verdicts import BASELINE

_VERDICTS = (tables.CLAIM.index("verdict"), tables.CLAIM.index("then"))


def leaderboard(found: Leaderboard) -> str:
    """A self-contained page with a table for each group of campaigns that can be ranked together."""
    main = [_board(board, latest=i == 0) for i, board in enumerate(found.boards)]
    if len(found.boards) > 1:
        main.append(f"<p>{tables.APART}</p>")
    header = f"<header>\n<h1>Leaderboard</h1>\n<p>{escape(found.study)}</p>\n</header>"
    return page(f"Leaderboard of {found.study}", header, "\n".join(main), "", {})


def history(found: History) -> str:
    """A self-contained page: how each arm fared, then every claim, the newest first."""
    lines = [f"{found.dataset}: {tables.extent(found)}"]
    if len(found.datas) > 1:
        lines.append(tables.versions(found))
    said = "".join(f"<p>{escape(line)}</p>\n" for line in lines)
    header = f"<header>\n<h1>History</h1>\n{said}{note(tables.openings(found))}\n</header>"
    arms = [
        [escape(arm.arm), *(str(count) for count in (arm.better, arm.worse, arm.undecided))]
        for arm in found.arms
    ]
    headings = [Column(heading) for heading in ("arm", "better", "worse", "undecided")]
    main = [f"<h2>Against {escape(BASELINE)}, campaigns</h2>", table(headings, arms), "<h2>Claims</h2>"]
    main.append(table([Column(heading) for heading in tables.CLAIM], map(_claim, found.claims)))
    main.append(note(tables.correction(found, then=True)))
    main += [note(f"{campaign} is left out: {why}") for campaign, why in found.left_out]
    return page(f"History of {found.dataset}", header, "\n".join(main), "", {})


def _board(board: Board, *, latest: bool) -> str:
    units = tables.units_of_board(board)
    rows = []
    for entry in board.entries:
        rank, campaign, *rest = (escape(str(cell)) for cell in tables.entry_cells(entry, units))
        rows.append([campaign, rank, *rest])  # the first cell names the row
    columns = [Column(heading) for heading in ("campaign", "rank", *tables.ENTRY[2:])]
    values = note(f"{units.label(board.metric.name)} ({board.metric.direction})")
    title = f"<h2>{escape(tables.about(board, latest=latest))}</h2>"
    return "\n".join([title, values, table(columns, rows), note(tables.ranked_by(board))])


def _claim(claim: Claim) -> list[str]:
    cells = [escape(str(cell)) for cell in tables.claim_cells(claim)]
    for place in _VERDICTS:
        cells[place] = f'<span class="chip {cells[place]}">{cells[place]}</span>'
    return cells

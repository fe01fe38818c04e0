"""The leaderboard and the history as pages: the rows of the terminal, alone in a file, on a phone too."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from campaign_rows import BAD, GOOD, campaign, store_rows
from chromium import PHONE, WIDE, chromium, needs_chromium
from in_process import automl

from automl.comparing import boards_page, tables
from automl.comparing.history import history
from automl.comparing.leaderboard import leaderboard
from automl.ledger import Ledger, Store

STRANGE = "<b>x"
VALUES = {"random": GOOD["random"], STRANGE: GOOD["tpe"]}


def pages(ledger: Ledger) -> dict[str, str]:
    made = [campaign(BAD, 1), campaign(VALUES, 2), campaign(GOOD, 3, data="b" * 64)]
    store_rows(ledger, *made, campaign(GOOD, 4, state="interrupted"))
    return {
        "leaderboard": boards_page.leaderboard(leaderboard(ledger, ledger.campaigns("nas-digits"))),
        "history": boards_page.history(history(ledger, ledger.campaigns(), "digits")),
    }


def text_of(page: str) -> str:
    main = page.partition("<main>")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", main)).split())


def test_a_leaderboard_has_the_rows_of_the_terminal(ledger: Ledger) -> None:
    page = pages(ledger)["leaderboard"]
    found = leaderboard(ledger, ledger.campaigns("nas-digits"))
    assert [len(board.entries) for board in found.boards] == [3, 1]
    text = text_of(page)
    for board in found.boards:
        assert tables.ranked_by(board) in text
        for entry in board.entries:
            rank, name, *rest = map(str, tables.entry_cells(entry, tables.units_of_board(board)))
            assert " ".join([name, rank, *rest]) in text
    assert "nas-digits-4 (interrupted)" in text
    assert tables.APART in text


def test_a_history_has_every_claim_with_its_verdicts_as_chips(ledger: Ledger) -> None:
    page = pages(ledger)["history"]
    found = history(ledger, ledger.campaigns(), "digits")
    assert page.count('<span class="chip') == 2 * len(found.claims) > 0
    for claim in found.claims:
        assert f'<span class="chip {claim.verdict}">{claim.verdict}</span>' in page
    assert "nas-digits-4 is left out: interrupted" in text_of(page)
    assert "on 2 versions of the data" in page
    assert "the test set was opened" in page


@pytest.mark.parametrize("which", ["leaderboard", "history"])
def test_such_a_page_stands_alone_and_escapes_names(ledger: Ledger, which: str) -> None:
    page = pages(ledger)[which]
    assert STRANGE not in page and "&lt;b&gt;x" in page
    assert "://" not in page.partition("<script")[0]


def test_the_commands_write_pages(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Ledger(store) as ledger:
        expected = pages(ledger)
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    monkeypatch.chdir(tmp_path)
    for command, of in (("leaderboard", "nas-digits"), ("history", "digits")):
        assert automl(monkeypatch, command, of, "--html", f"{command}.html") == 0
        assert capfd.readouterr().out == f"wrote {command}.html\n"
        assert Path(f"{command}.html").read_text() == expected[command]


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
def test_on_a_phone_a_wide_table_scrolls_in_its_box(ledger: Ledger, tmp_path: Path) -> None:
    for name, page in pages(ledger).items():
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    with chromium() as opened:
        for name in ("leaderboard", "history"):
            for width in (WIDE, PHONE):
                opened.open((tmp_path / f"{name}.html").as_uri(), width)
                assert opened.value("document.scrollingElement.scrollWidth") == width
                wide = (
                    "[...document.querySelectorAll('.scroll')].some(box => box.scrollWidth > box.clientWidth)"
                )
                assert opened.value(wide) is (width == PHONE)
            assert opened.console() == []

"""Every code block of README and docs runs: files are used, studies checked, commands executed."""

from __future__ import annotations

from pathlib import Path

import pytest
from doc_pages import Page, pages
from sandbox import Sandbox

from automl.ledger import Store

MOST_NOT_RUN = 13  # clusters and what hands them out, a clone, a champion that is served
FAST = [page for page in pages() if page.blocks and (page.slow or not page.runs)]
RUN = [
    pytest.param(page, marks=[pytest.mark.slow] * page.slow, id=page.name) for page in pages() if page.runs
]


@pytest.mark.parametrize("page", FAST, ids=lambda page: page.name)
def test_blocks_are_right(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(page, tmp_path, monkeypatch, run=False)
    try:
        sandbox.blocks()
    finally:
        sandbox.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_blocks_run(page: Page, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.folder == tmp_path / ".automl"
    sandbox = Sandbox(page, tmp_path, monkeypatch, run=True)
    try:
        sandbox.blocks()
    finally:
        sandbox.close()


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    reasons = [block.not_run for page in pages() for block in page.blocks if block.not_run]
    assert len(reasons) <= MOST_NOT_RUN
    assert all(len(reason) > 10 for reason in reasons)


def test_every_page_that_shows_a_plugin_or_a_task_has_blocks() -> None:
    wanted = [page for page in pages() if page.name.startswith(("docs/tutorials/", "docs/plugins/"))]
    assert [page.name for page in wanted if not page.blocks] == []

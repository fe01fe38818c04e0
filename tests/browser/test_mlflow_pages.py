"""MLflow's own pages on a store of ours: what people see of a study, a campaign, a search and a trial."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from chromium import PHONE, WIDE, Chromium, chromium, needs_chromium
from patience import PATIENCE

from automl.contracts import TrialState
from automl.ledger import Ledger, Store

sys.path.insert(0, str(Path(__file__).parents[1] / "recorder"))

from recorder_helpers import Filled, recording

from automl.recorder.uids import run_uid

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]


def fill(store: Store, ledger: Ledger, best: float, test: float) -> Filled:
    """A finished campaign of two arms with retrainings and test values."""
    filled = Filled(store, ledger)
    for arm in range(2):
        for number in range(4):
            filled.trial(number, best - 0.1 * (3 - number) / (1 + arm) + 0.03 * arm, arm=arm, cost=2.5)
        filled.end(filled.start(4, arm=arm), None, TrialState.PRUNED, cost=1.0)
        for number in range(2):
            config = {"lr": 0.1 / 4, "width": 32, "act": "relu"}
            filled.end(
                filled.start(number, config, arm=arm, kind="final"), best - 0.02 + number / 100 + 0.03 * arm
            )
    filled.finish()
    for search in ledger.searches(filled.id):
        opened = ledger.open_test(search.id, "the search's winner")
        ledger.close_test(opened.id, [test, test + 0.02])
    with recording(filled) as recorder:
        recorder.drain()
    return filled


@contextmanager
def pages(store: Store, name: str) -> Iterator[str]:
    """The address that `automl ui NAME` prints, while it serves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "automl.cli", "ui", name, "--port", str(port)]
    environ = {**os.environ, "AUTOML_STORE": str(store.folder)}
    program = subprocess.Popen(
        command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert program.stdout is not None
    try:
        link = program.stdout.readline().strip()
        assert link.startswith(f"http://127.0.0.1:{port}/#/experiments/"), link
        yield link
    finally:
        program.send_signal(signal.SIGINT)
        program.stdout.close()
        assert program.wait(PATIENCE) == 0


@pytest.fixture
def browser() -> Iterator[Chromium]:
    with chromium() as opened:
        yield opened


def shown(browser: Chromium, *texts: str) -> str:
    """The text of the page once it has all of these."""
    for text in texts:
        browser.until(f"document.body.innerText.includes({text!r})")
    return browser.text()


def test_what_must_be_visible(store: Store, ledger: Ledger, browser: Chromium, tmp_path: Path) -> None:
    fill(store, ledger, 0.8, 0.7)
    last = fill(store, ledger, 0.9, 0.8)
    with pages(store, "demo") as link:
        base, _, rest = link.partition("/#/experiments/")
        experiment = rest.partition("/")[0]

        # the view that compares the arms: charts
        browser.open(link, WIDE, 1600)  # charts below the edge of the window are not drawn
        text = shown(browser, "random/0 · demo-2", "tpe/0 · demo-2", "2 matching runs")
        assert "· demo-1" not in text
        shown(browser, "best_accuracy", "test_accuracy", "fresh_accuracy", "device_seconds")
        browser.until("document.querySelectorAll('.js-plotly-plot').length >= 2")
        assert "trials_complete" not in browser.text(), "no chart of counts"
        assert browser.picture(tmp_path / "charts.png", whole=False).stat().st_size > 20_000

        # the same as a table: its columns
        browser.open(link.replace("CHART", "TABLE"), WIDE)
        shown(browser, "automl.arm", "best_accuracy", "0.93")

        # the experiment as MLflow opens it
        browser.open(f"{base}/#/experiments/{experiment}/runs", WIDE)
        text = shown(browser, "demo-1", "demo-2", "Study demo")
        assert "Views" in text

        # the runs of a campaign, a search and a trial
        for identity, texts in {
            "demo-2": (
                "demo-2",
                "best_accuracy",
                "test_accuracy",
                "difference_to_random",
                "Winner",
                "60 device",
            ),
            "demo-2/tpe/0": ("tpe/0 · demo-2", "best_accuracy", "fresh_accuracy", "strategy"),
            "demo-2/tpe/0/3": ("tpe/0/3 · demo-2", "accuracy", "width"),
        }.items():
            run = run_uid(last.campaign.created_at, identity)
            for width in (WIDE, PHONE):
                browser.open(f"{base}/#/experiments/{experiment}/runs/{run}", width)
                shown(browser, *texts)
                name = f"{identity.replace('/', '-')}-{width}.png"
                assert browser.picture(tmp_path / name, whole=False).stat().st_size > 10_000

"""The report in a real browser: drawn, silent, and deaf to what configurations say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from patience import PATIENCE
from report_examples import ACCURACY, realistic
from test_html import EVIL, evil_campaign

from automl.report import collect, html

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--enable-logging=stderr",
    "--window-size=1280,4000",
    "--virtual-time-budget=10000",
]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed"),
]


def browse(folder: Path, text: str, *what: str) -> tuple[str, list[str]]:
    """The finished document (or the screenshot's log) and what the page wrote to the console."""
    page = folder / "report.html"
    page.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *what, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.slow
def test_every_plot_is_drawn_and_the_console_is_empty(tmp_path: Path) -> None:
    metrics = [*ACCURACY, {"name": "parameters", "direction": "minimize"}]
    text = html(collect(realistic(seeds=3, trials=30, metrics=metrics), "nas-digits-3"))
    document, console = browse(tmp_path, text, "--dump-dom")
    # the policy forbids every request, and a refused one would be told here
    assert console == []
    plots = re.findall(r'<div class="plot[^"]*" id="(plot-[a-z0-9-]+)"', document)
    assert len(plots) == 6
    drawn = document.partition("<main>")[2].partition("</main>")[0]
    assert drawn.count('<div class="plot-container') == 6
    assert drawn.count('class="legendtext"') > 6
    assert "Something went wrong" not in drawn


@pytest.mark.slow
def test_text_from_outside_runs_nothing(tmp_path: Path) -> None:
    document, console = browse(tmp_path, html(collect(evil_campaign(), "nas-digits-3")), "--dump-dom")
    assert console == []
    assert "<title>nas-digits: report" in document
    assert "pwned" not in document.partition("<title>")[2].partition("</title>")[0]
    body = document.partition("<main>")[2].partition("</main>")[0]
    assert "<img" not in body
    assert EVIL[:9] not in body  # the closing script tag, as markup


@pytest.mark.slow
def test_screenshot_is_not_blank(tmp_path: Path) -> None:
    picture = tmp_path / "report.png"
    text = html(collect(realistic(seeds=2, trials=10), "nas-digits-3"))
    browse(tmp_path, text, f"--screenshot={picture}")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 100_000

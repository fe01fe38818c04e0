"""The report on a screen and on a phone: nothing cut, nothing over something else."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import PHONE, WIDE, Chromium, chromium, needs_chromium
from report_examples import ACCURACY, EDGES, OPERATIONS, RANDOM, FakeLedger, fake, realistic

from automl.report import collect, html

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

# Texts of each plot and picture whose boxes meet by more than two pixels in both directions.
OVERLAPS = """(() => {
  const found = [];
  for (const place of document.querySelectorAll(".js-plotly-plot, svg.picture, .card")) {
    const own = place.matches(".card") ? "p, summary, dt, dd, img" : "text";
    const texts = [...place.querySelectorAll(own)].filter(text => !text.closest(".hoverlayer"));
    const boxes = texts.map(text => [text.textContent || text.tagName, text.getBoundingClientRect()])
      .filter(([text, box]) => text.trim() && box.width && box.height);
    boxes.forEach(([text, box], i) => boxes.slice(i + 1).forEach(([other, next]) => {
      const wide = Math.min(box.right, next.right) - Math.max(box.left, next.left);
      const high = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
      if (wide > 2 && high > 2) found.push(`${place.id || place.className.baseVal}: ${text} | ${other}`);
    }));
  }
  return found;
})()"""
# What sticks out of the window and cannot be scrolled to inside a box of its own.
CUT = """[...document.querySelectorAll("body *")]
  .filter(part => !part.closest("script, style, svg") && !part.parentElement.closest(".scroll, details"))
  .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
  .map(part => part.outerHTML.slice(0, 120))"""
# The pictures of cells, as part of the page, so that their texts can be measured.
UNFOLD = """document.querySelectorAll(".card img").forEach(image => {
  const text = new TextDecoder().decode(Uint8Array.from(atob(image.src.split(",")[1]), c => c.charCodeAt(0)));
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  svg.classList.add("picture");
  svg.style.width = "100%";
  image.replaceWith(svg);
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as opened:
        yield opened


def long_names() -> FakeLedger:
    """Twelve arms and ten parameters with long names; one arm ran, one lost everything."""
    arms = dict.fromkeys(["random", *(f"multivariate-tpe-with-hyperband-{n}" for n in range(11))], RANDOM)
    ledger = fake(arms, seeds=range(2))
    rng = random.Random(0)
    for arm in arms:
        for seed in range(2):
            search = ledger.search(arm, seed)
            for number in range(6):
                config: dict[str, Any] = {
                    f"optimizer.learning_rate_schedule_{n}": rng.random() for n in range(9)
                }
                config["activation"] = rng.choice(["gaussian_error_linear_unit", "relu <b>&amp;</b>"])
                ledger.trial(search, number, [rng.random()], config=config)
    return ledger


def two_cells() -> FakeLedger:
    """Winners that are pairs of cells as in DARTS."""
    ledger = fake(seeds=range(2))
    rng = random.Random(1)
    for arm in ("random", "tpe"):
        for seed in range(2):
            search = ledger.search(arm, seed)
            for number in range(5):
                config: dict[str, Any] = {}
                for kind in ("normal", "reduce"):
                    for node in range(2, 6):
                        sources = sorted(rng.sample(range(node), 2))
                        config |= {f"{kind}_{source}_{node}": rng.choice(OPERATIONS) for source in sources}
                        config[f"{kind}_inputs_{node}"] = str(sources)
                ledger.trial(search, number, [rng.random()], config=config)
    return ledger


def every_cell() -> FakeLedger:
    """Each operation on every edge of a cell."""
    ledger = fake(seeds=range(5))
    for seed, operation in enumerate(OPERATIONS):
        for arm in ("random", "tpe"):
            search = ledger.search(arm, seed)
            config = dict.fromkeys(EDGES, operation)
            ledger.trial(search, 0, [0.5 + 0.1 * seed], config=config, cost=1.0)
            other = dict(zip(EDGES, [*OPERATIONS[seed:], *OPERATIONS[:seed], operation], strict=True))
            ledger.trial(search, 1, [0.55 + 0.1 * seed], config=other, cost=1.0)
    return ledger


TWO = [*ACCURACY, {"name": "parameters", "direction": "minimize"}]
EXAMPLES = {
    "few seeds": lambda: realistic(seeds=3, trials=30, metrics=TWO),
    "many seeds": lambda: realistic(seeds=22, trials=12, metrics=TWO),
    "long names": long_names,
    "pairs of cells": two_cells,
    "every cell": every_cell,
}


@pytest.fixture(scope="module", params=EXAMPLES)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(html(collect(EXAMPLES[request.param](), "nas-digits-3")), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_everything_can_be_read(browser: Chromium, page: Path, width: int) -> None:
    browser.open(page.as_uri(), width)
    browser.until("document.documentElement.dataset.drawn")
    assert browser.value("document.scrollingElement.scrollWidth") == width
    assert browser.value(CUT) == []
    browser.value("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert browser.value("document.scrollingElement.scrollWidth") == width
    browser.value(UNFOLD)
    assert browser.value(OVERLAPS) == []
    assert browser.console() == []


def test_a_turned_phone_gets_its_plots_drawn_anew(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html(collect(realistic(seeds=2, trials=10), "nas-digits-3")), encoding="utf-8")
    browser.open(file.as_uri(), PHONE)
    browser.until("document.documentElement.dataset.drawn")
    mode = "document.getElementById('plot-anytime')._fullLayout.dragmode"
    assert browser.value(mode) is False, "a finger scrolls the page"
    browser.resize(844, PHONE)
    browser.until(f"{mode} === 'zoom'")
    assert browser.value("document.scrollingElement.scrollWidth") == 844


def test_a_browser_that_cannot_unpack_says_so(browser: Chromium, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html(collect(realistic(seeds=2, trials=10), "nas-digits-3")), encoding="utf-8")
    script = browser.call("Page.addScriptToEvaluateOnNewDocument", source="delete window.DecompressionStream")
    browser.open(file.as_uri())
    browser.until("document.body.innerText.includes('the tables have the values')")
    assert "98." in browser.text() or "9" in browser.value("document.querySelector('table').innerText")
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])

import base64
import gzip
import hashlib
import json
import random
import re
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest
import report_examples as examples
from report_examples import RANDOM, FakeLedger, fake, realistic, values_only

from automl.contracts import TrialState
from automl.report import collect, html
from automl.report.charts.plotly_js import packed

ID = "nas-digits-3"
EVIL = "</script><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">'<b>"


class Page(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        self._open = tag if tag in ("script", "style") else self._open

    def handle_endtag(self, tag: str) -> None:
        self._open = None if tag == self._open else self._open

    def handle_data(self, data: str) -> None:
        self.text += "" if self._open else data


def figures_of(page: str) -> dict[str, Any]:
    found = re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    figures: dict[str, Any] = json.loads(found[1])
    return figures


@pytest.fixture(scope="module")
def page() -> str:
    return html(collect(realistic(seeds=3, trials=20), ID))


def evil_campaign() -> FakeLedger:
    arms = {"random": RANDOM, EVIL: {"strategy": {"name": EVIL, "options": {}}}}
    ledger = fake(
        arms, seeds=[0, 1], space={"name": EVIL}, task={"dataset": EVIL, "metrics": examples.ACCURACY}
    )
    ledger.row.provenance["commit"] = EVIL
    for arm in arms:
        for seed in (0, 1):
            search = ledger.search(arm, seed, reason=EVIL)
            for number in range(20):
                ledger.trial(
                    search, number, [number / 30 + seed / 9], config={EVIL: EVIL[: 5 + number], "x": number}
                )
            ledger.trial(search, 20, None, state=TrialState.FAILED, reason=EVIL, traceback=EVIL)
    return ledger


def test_page_is_one_file_without_any_request(page: str) -> None:
    parsed = Page(page)
    links = [value for _, attrs in parsed.tags for key, value in attrs.items() if key in ("src", "href")]
    assert all(link.startswith("data:") for link in links)
    policy = next(attrs["content"] for tag, attrs in parsed.tags if tag == "meta" and "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("style-src")[0]


def test_page_says_what_the_data_say(page: str) -> None:
    text = Page(page).text
    for part in (
        "Is any arm better than random search?",
        "Cannot tell yet whether",
        "3 seeds",
        "Winners",
        "tpe",
    ):
        assert part in text
    assert "FloatingPointError: the training loss is nan" in text
    assert "The test set was opened 12 times" in " ".join(text.split())
    assert figures_of(page).keys() == {
        f"plot-{n}" for n in ("differences", "anytime", "levels", "importance", "parallel")
    }


def test_plotly_accepts_every_figure() -> None:
    two = [*examples.ACCURACY, {"name": "parameters", "direction": "minimize"}]
    figures = figures_of(html(collect(realistic(seeds=2, trials=20, metrics=two), ID)))
    assert "plot-pareto-1" in figures
    for figure in figures.values():
        go.Figure(figure)  # raises for an unknown or wrong property


def test_every_plot_has_a_text_alternative(page: str) -> None:
    plots = [attrs for _, attrs in Page(page).tags if attrs.get("class") == "plot"]
    assert len(plots) == 5
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in plots)
    assert [attrs["lang"] for tag, attrs in Page(page).tags if tag == "html"] == ["en"]


def test_nothing_from_outside_becomes_markup() -> None:
    text = html(collect(evil_campaign(), ID))
    parsed = Page(text)
    assert [tag for tag, _ in parsed.tags].count("script") == 3
    assert not [tag for tag, attrs in parsed.tags if tag == "b" or any(key.startswith("on") for key in attrs)]
    assert EVIL in parsed.text  # shown as it is
    assert "<img" not in json.dumps(figures_of(text))


def test_what_reading_the_data_found_out_is_on_the_page(page: str) -> None:
    title = "Data as they were read"
    assert title not in page
    ledger = realistic(seeds=1, trials=2)
    ledger.row.provenance["data"] = {
        "name": "a.csv",
        "digest": "0",
        "notes": ["1 <blank> cell", "id: left out"],
    }
    text = Page(html(collect(ledger, ID))).text
    assert title in text and "1 <blank> cell" in text and "id: left out" in text
    ledger.row.provenance["data"] = {"name": "a.csv", "digest": "0"}
    assert title not in html(collect(ledger, ID)), "noted by an earlier version"


@pytest.mark.parametrize(
    "ledger",
    [
        fake(state="running"),
        values_only({"random": [None], "tpe": [None]}),
        values_only({"random": [0.5], "tpe": [0.6]}),
        values_only({"tpe": [0.5, 0.5]}),
    ],
)
def test_little_data_still_makes_a_page(ledger: FakeLedger) -> None:
    data = collect(ledger, ID)
    parsed = Page(html(data))
    assert "nas-digits" in parsed.text
    assert all(" ".join(warning.split()) in " ".join(parsed.text.split()) for warning in data.warnings)


def test_cells_are_pictures_without_scripts(page: str) -> None:
    pictures = [attrs for tag, attrs in Page(page).tags if tag == "img"]
    assert len(pictures) == 3 * 3 + 1  # three searched arms; the reference is the same for every seed
    assert all(attrs["src"].startswith("data:image/svg+xml;base64,") for attrs in pictures)
    assert "edge_0_1 nor_conv_3x3" in " ".join(attrs["alt"] for attrs in pictures)


def test_what_only_looks_like_a_cell_has_no_picture() -> None:
    ledger = fake({"random": RANDOM}, seeds=[0])
    ledger.trial(ledger.search("random", 0), 0, [0.5], config={"edge_2_1": "skip", "edge_x": "none"})
    assert not [tag for tag, _ in Page(html(collect(ledger, ID))).tags if tag == "img"]


def test_anytime_bands_over_seeds() -> None:
    ledger = fake({"random": RANDOM}, seeds=[0, 1])
    for seed, points in enumerate([[(1, 0.2), (2, 0.6)], [(2, 0.4), (4, 0.5)]]):
        search = ledger.search("random", seed)
        for number, (cost, value) in enumerate(points):
            ledger.trial(search, number, [value], cost=cost)
    low, high, mean = figures_of(html(collect(ledger, ID)))["plot-anytime"]["data"]
    # seed 0: 20 from 1, 60 from 3; seed 1: 40 from 2, 50 from 6
    assert mean["x"] == [2, 3, 6]
    assert mean["y"] == pytest.approx([30, 50, 55])
    assert low["y"] == pytest.approx([20, 40, 50])
    assert high["y"] == pytest.approx([40, 60, 60])
    assert mean["line"]["shape"] == "hv"


def test_many_trials_are_thinned_but_the_best_stay() -> None:
    ledger = fake({"random": RANDOM}, seeds=[0])
    search = ledger.search("random", 0)
    for number in range(2000):
        ledger.trial(search, number, [number / 2000], config={"x": number, "y": -number})
    traces = figures_of(html(collect(ledger, ID)))["plot-parallel"]["data"]
    lines = {trace["name"]: trace["y"].count(None) for trace in traces}
    assert lines == {"other half": 300, "best 50 %": 150, "best 20 %": 150, "best 5 %": 100}
    assert max(value for value in traces[-1]["y"] if value is not None) == 1


def test_conditional_and_mixed_parameters() -> None:
    ledger = fake({"random": RANDOM}, seeds=[0])
    search = ledger.search("random", 0)
    for number in range(30):
        config = {
            "model": "a" if number % 3 else "b",
            "rate": 10.0**-number,
            "flag": bool(number % 2),
            "one": 1,
        }
        if number % 3:
            config["depth"] = number
        ledger.trial(search, number, [number / 30], config=config)
    figure = figures_of(html(collect(ledger, ID)))["plot-parallel"]
    axes = figure["layout"]["xaxis"]["ticktext"]
    assert set(axes) == {"model", "rate", "flag", "depth", "accuracy, %"}  # "one" never changes
    notes = {note["text"] for note in figure["layout"]["annotations"]}
    assert {"not used", "a", "b", "True", "False"} <= notes


def test_hundreds_of_seeds_become_medians_and_quartiles() -> None:
    ledger = fake({"random": RANDOM, "tpe": RANDOM}, seeds=range(101))
    for arm, shift in (("random", 0.0), ("tpe", 0.1)):
        for seed in range(101):
            search = ledger.search(arm, seed)
            ledger.trial(search, 0, [0.3], cost=10)
            ledger.trial(search, 1, [0.4 + seed / 1000 + shift], cost=10, config={"x": seed})
    page = html(collect(ledger, ID))
    figures = figures_of(page)
    low, high, middle = figures["plot-anytime"]["data"][:3]
    assert (low["y"][-1], middle["y"][-1], high["y"][-1]) == pytest.approx((42.5, 45, 47.5))
    assert middle["y"][0] == pytest.approx(30) and len(middle["x"]) == 300
    frames, whiskers, medians = figures["plot-levels"]["data"]  # no fresh and no test values
    assert sorted(medians["x"]) == pytest.approx([45, 55])
    assert medians["text"] == ["55 (52.5 to 57.5)", "45 (42.5 to 47.5)"][:: 1 if medians["x"][0] > 50 else -1]
    assert sorted({x for x in frames["x"] if x is not None}) == pytest.approx([42.5, 47.5, 52.5, 57.5])
    assert min(x for x in whiskers["x"] if x is not None) == pytest.approx(40.5)
    assert max(x for x in whiskers["x"] if x is not None) == pytest.approx(59.5)
    assert figures["plot-levels"]["layout"]["height"] < 500
    for figure in figures.values():
        go.Figure(figure)
    assert "median over seeds" in page and page.count("<article") == 16
    assert "and 93 other configurations" in page


def test_a_page_of_hundreds_of_seeds_stays_small() -> None:
    """All but plotly.js is less than 0.6 MB for two arms of 500 seeds."""
    ledger = fake({"random": RANDOM, "evolution": RANDOM}, seeds=range(500), space={"name": "nasbench201"})
    for arm in ("random", "evolution"):
        for seed in range(500):
            examples._search(ledger, arm, seed, 3, random.Random(f"{arm} {seed}"))
    page = html(collect(ledger, ID))
    assert "plot-anytime" in page
    assert len(page) - len(packed()) < 600_000


@pytest.mark.slow
def test_a_page_of_two_thousand_trials_is_small() -> None:
    two = [*examples.ACCURACY, {"name": "parameters", "direction": "minimize"}]
    report = collect(realistic(seeds=10, trials=100, metrics=two), ID)
    assert len(report.evaluations) >= 2000
    assert len(html(report).encode()) <= 1_500_000


def test_what_is_not_drawn_is_told() -> None:
    two = [*examples.ACCURACY, {"name": "parameters", "direction": "minimize"}]
    ledger = fake({"random": RANDOM}, seeds=range(1), metrics=two)
    search = ledger.search("random", 0)
    ledger.trial(search, 0, [1.0, 0.0], config={"x": 0})  # dominates all others
    for number in range(1, 1021):
        ledger.trial(search, number, [number / 2000, 1.0], config={"x": number})
    report = collect(ledger, ID)
    text = html(report)
    dominated = len(report.evaluations) - len(report.pareto)
    assert f"Not drawn: {dominated - 1000:,} other trials" in text
    drawn = sum(len(trace["x"]) for trace in figures_of(text)["plot-pareto-1"]["data"] if "text" in trace)
    assert drawn == 1000 + len(report.pareto)
    lines = sum(trace["x"].count(None) for trace in figures_of(text)["plot-parallel"]["data"])
    assert f"Not drawn: {len(report.evaluations) - lines:,} other trials" in text
    assert "Not drawn" not in html(collect(realistic(seeds=1, trials=20), ID))


def test_the_script_of_the_page_is_the_one_that_its_policy_allows() -> None:
    page = html(collect(realistic(seeds=1, trials=5), ID))
    embedded = page.partition('id="plotly">')[2].partition("</script>")[0]
    script = gzip.decompress(base64.b64decode(embedded))
    allowed = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert f"'sha256-{allowed}'" in page.partition('Content-Security-Policy"')[2].partition(">")[0]
    assert b"MIT license" in script[:300]

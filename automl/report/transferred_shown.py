"""Winners on other datasets in words and tables, and what is missing of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from automl.contracts import Metric
from automl.report import verdicts
from automl.report.chosen import Chosen, marked
from automl.report.comparable import dataset_name
from automl.report.comparison import ArmComparison
from automl.report.markup import Column, note, table
from automl.report.settings import StudySettings
from automl.report.statistics import Spread
from automl.report.transferred import Transferred, TransferredArm
from automl.report.verdicts import BASELINE, ArmVerdict
from automl.report.wording import Units, plural, seconds

TITLE: Final = "Winners trained on other datasets"
ABOUT: Final = (
    "each winner is trained again on the other dataset and scored on its sealed test set; mean ± sd over "
    "seeds; orders are those of means, and verdicts of one dataset are corrected together (Holm)"
)
_TOGETHER: Final = 3  # datasets beside each other in 80 columns


def missing(found: Sequence[Transferred], *, finished: bool) -> list[str]:
    """A line for each arm and dataset of which values are missing, or whose test set was seen before."""
    return [line for one in found for arm in one.arms if finished for line in _missing(one.dataset, arm)]


def _missing(dataset: str, arm: TransferredArm) -> Iterator[str]:
    place = f"{arm.arm} on {dataset}"
    lost = [search for search in arm.searches if search.lost or search.open]
    if lost:
        planned = sum(search.planned for search in arm.searches)
        failed, cut = sum(one.lost for one in lost), sum(one.open for one in lost)
        parts = ((failed, "failed"), (cut, "did not come to an end"))
        told = " and ".join(f"{count} {what}" for count, what in parts if count)
        less = "; a seed without a value is left out" if any(not search.test for search in lost) else ""
        seeds = _seeds([search.seed for search in lost])
        yield f"{place}: of {plural(planned, 'training')} {told} ({seeds}){less}"
    again = [search.seed for search in arm.searches if search.test_openings > 1]
    if again:
        yield (
            f"{place}: the test set was opened more than once for a search ({_seeds(again)}), so later "
            "values were not unseen"
        )


def _seeds(listed: Sequence[int]) -> str:
    return f"{'seed' if len(listed) == 1 else 'seeds'} {', '.join(map(str, listed))}"


def order_text(one: Transferred) -> str:
    """Whether arms have the order on that dataset that they have on the study's own test set; "" unknown."""
    if one.same_order is None:
        return ""
    there = [arm for arm in one.ranking if arm in one.own_ranking]
    if one.same_order:
        return f"arms have the same order on {one.dataset} as here: {', '.join(there)}"
    if there[0] != one.own_ranking[0]:
        return f"the best arm here is {one.own_ranking[0]}, on {one.dataset} it is {there[0]}"
    return (
        f"the best arm here and on {one.dataset} is {there[0]}, but the others change places: "
        f"{', '.join(one.own_ranking)} here, {', '.join(there)} there"
    )


def _cost(one: Transferred) -> str:
    opened = plural(one.test_openings, "time")
    return (
        f"{one.dataset}: {plural(one.trainings, 'training')}, {seconds(one.device_seconds)}; "
        f"its test set was opened {opened}"
    )


def terminal(
    found: Sequence[Transferred],
    study: StudySettings,
    comparison: ArmComparison,
    units: Units,
    chosen: Chosen | None = None,
) -> Iterator[RenderableType]:
    """Tables of test values with a column for each dataset, verdicts, orders and costs."""
    shown = [one for one in found if one.trainings]
    if not shown:
        return
    yield Text(f"\n{TITLE}:", style="bold")
    yield Text(
        f"test {units.label(study.metrics[0].name)}, the best mean of each dataset in bold", style="dim"
    )
    for start in range(0, len(shown), _TOGETHER):
        yield _table(shown[start : start + _TOGETHER], study, comparison, units, chosen)
    for one in shown:
        yield from map(verdicts.marked, one.verdicts)
    for line in filter(None, (text(one) for one in shown for text in (order_text, _cost))):
        yield Padding(Text(f"• {line}"), (0, 0, 0, 2))
    yield Text(ABOUT, style="dim")


def _table(
    shown: Sequence[Transferred],
    study: StudySettings,
    comparison: ArmComparison,
    units: Units,
    chosen: Chosen | None,
) -> Table:
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("arm", overflow="fold")
    columns = _columns(shown, study, comparison, units)
    for heading, _, _ in columns:
        grid.add_column(Text(heading), justify="right", overflow="fold")
    for arm in comparison.ranking:
        cells = [Text(values[arm], style="bold" if arm == best else "") for _, values, best in columns]
        grid.add_row(Text(marked(arm, chosen)), *cells)
    return grid


def _columns(
    shown: Sequence[Transferred], study: StudySettings, comparison: ArmComparison, units: Units
) -> list[tuple[str, Mapping[str, str], str | None]]:
    """The study's own test values, then those of each dataset: heading, text of each arm, the best arm."""
    metric = study.metrics[0]
    own = {arm: comparison.summary[arm].test for arm in comparison.ranking}
    columns: list[tuple[str, Mapping[str, str], str | None]] = []
    columns.append((f"{dataset_name(study.dataset) or 'own'} (here)", _texts(own, units), _best(own, metric)))
    for one in shown:
        there = {arm.arm: arm.test for arm in one.arms}
        columns.append((one.dataset, _texts(there, one.units(metric)), _best(there, metric)))
    return columns


def _texts(spreads: Mapping[str, Spread], units: Units) -> dict[str, str]:
    return {arm: units.spread(spread) for arm, spread in spreads.items()}


def _best(spreads: Mapping[str, Spread], metric: Metric) -> str | None:
    """The arm with the best mean, the first of equal ones; None for fewer than two."""
    known = {arm: spread.mean for arm, spread in spreads.items() if spread.mean is not None}
    best: str | None = None
    for arm, mean in known.items():
        if best is None or metric.direction.better(mean, known[best]):
            best = arm
    return best if len(known) > 1 else None


def section(
    found: Sequence[Transferred],
    study: StudySettings,
    comparison: ArmComparison,
    units: Units,
    chosen: Chosen | None = None,
) -> str:
    """The HTML tables and verdicts; empty where nothing was trained elsewhere."""
    shown, metric = [one for one in found if one.trainings], study.metrics[0]
    if not shown:
        return ""
    columns = _columns(shown, study, comparison, units)
    rows = [
        [
            escape(marked(arm, chosen)),
            *(_strong(values[arm], strong=arm == best) for _, values, best in columns),
        ]
        for arm in comparison.ranking
    ]
    told = [verdict for one in shown for verdict in one.verdicts]
    facts = filter(None, (text(one) for one in shown for text in (order_text, _cost)))
    items = "".join(f"<li>{escape(line)}.</li>" for line in facts)
    heads = [Column("arm"), *(Column(heading) for heading, _, _ in columns)]
    about = f"Test {units.label(metric.name)}: {ABOUT}. The best mean of each column is in bold."
    return f"""<h2>{TITLE}</h2>
{table(heads, rows)}
{verdicts.listed(told) if told else ""}
<ul>{items}</ul>
{note(about)}
<details><summary>Each arm on each dataset</summary>{_details(shown, study, chosen)}</details>"""


def _strong(text: str, *, strong: bool) -> str:
    return f"<strong>{escape(text)}</strong>" if strong else escape(text)


def _details(shown: Sequence[Transferred], study: StudySettings, chosen: Chosen | None) -> str:
    names = ["arm", "dataset", "seeds", "validation", "test", f"difference to {BASELINE}"]
    names += ["failed trainings", "device time", "openings"]
    rows = []
    for one in shown:
        units, by_arm = one.units(study.metrics[0]), {verdict.arm: verdict for verdict in one.verdicts}
        for arm in one.arms:
            rows.append(
                [
                    escape(marked(arm.arm, chosen)),
                    escape(one.dataset),
                    str(arm.test.n),
                    units.spread(arm.validation),
                    units.spread(arm.test),
                    _difference(by_arm.get(arm.arm), units),
                    str(arm.failed),
                    seconds(arm.device_seconds),
                    str(arm.test_openings),
                ]
            )
    return table([Column(name) for name in names], rows)


def _difference(verdict: ArmVerdict | None, units: Units) -> str:
    """With its interval, which agrees with the verdict."""
    if verdict is None or verdict.difference is None:
        return "–"
    mean = units.difference(verdict.difference, sign=True)
    if verdict.interval is None:
        return mean
    low, high = (units.difference(end, sign=True) for end in verdict.interval)
    return f"{mean} ({low} to {high})"

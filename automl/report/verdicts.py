"""Whether an arm is better than the baseline: the paired test of each arm, in words and as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from automl.contracts import Direction
from automl.report.judging import Answer, Verdict
from automl.report.searches import Level
from automl.report.wording import COMPARED, Units, sentence, test_set

BASELINE: Final = "random"
_MARKS: Final = {
    "better": ("better", "bold green"),
    "worse": ("worse", "bold red"),
    "undecided": ("?", "bold yellow"),
    "equivalent": ("equal", "bold blue"),
}


@dataclass(frozen=True)
class ArmVerdict:
    """An arm against the baseline, with differences (arm − against) in the metric's unit.

    `p_value` is corrected for all `comparisons` and decides; `single_p_value` is not corrected. `interval`
    has the level `interval_level` and agrees with the verdict. `more_seeds`, `within`: see
    `statistics.Verdict`. `compared`: the level of the values. `awaits`: the seeds of the first look, while it
    is still to come.
    """

    arm: str
    against: str
    difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None
    verdict: Answer
    seeds: int
    more_seeds: int | None
    compared: Level
    single_p_value: float | None
    comparisons: int
    paired_seeds: tuple[int, ...]
    dropped_seeds: tuple[int, ...]
    sentence: str
    interval_level: float
    within: bool | None
    awaits: int | None


def arm_verdict(verdict: Verdict, compared: Level, direction: Direction, units: Units) -> ArmVerdict:
    """A verdict with the sentence that says it."""
    result = verdict.paired
    return ArmVerdict(
        arm=verdict.arm,
        against=verdict.against,
        difference=result.mean,
        interval=result.interval,
        p_value=verdict.p_value,
        verdict=verdict.verdict,
        seeds=result.n,
        more_seeds=verdict.more_seeds,
        compared=compared,
        single_p_value=verdict.single,
        comparisons=verdict.comparisons,
        paired_seeds=tuple(verdict.seeds),
        dropped_seeds=tuple(verdict.dropped),
        sentence=sentence(verdict, direction, units),
        interval_level=result.level,
        within=verdict.within,
        awaits=result.awaits,
    )


def terminal(verdicts: Sequence[ArmVerdict], openings: int | None) -> Iterator[RenderableType]:
    """A line for each verdict. `openings` of the test set; None for a study without a dataset."""
    if not verdicts:
        return
    yield Text(f"Compared by {COMPARED[verdicts[0].compared]}:", style="bold")
    yield from map(marked, verdicts)
    if verdicts[0].comparisons > 1:
        yield Text("P-values are corrected for all comparisons (Holm); intervals agree.", style="dim")
    if openings is not None:
        yield Text(test_set(openings), style="dim")


def marked(verdict: ArmVerdict) -> RenderableType:
    """The sentence of a verdict beside its answer in a word."""
    mark, style = _MARKS[verdict.verdict]
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=6)
    line.add_column(overflow="fold")
    line.add_row(Text(mark, style=style), Text(verdict.sentence))
    return Padding(line, (0, 0, 0, 2))


def section(verdicts: Sequence[ArmVerdict], openings: int | None) -> str:
    """The answer at the top of the page. `openings` of the test set; None for a study without a dataset."""
    if not verdicts:
        return ""
    family = verdicts[0].comparisons
    together = (
        f" The p-values are corrected together for {family} comparisons (Holm) and decide at 0.05; "
        "each interval is as wide as its verdict asks for: it leaves out zero if and only if that is decided."
        if family > 1
        else ""
    )
    sealed = "" if openings is None else test_set(openings)
    compared = escape(COMPARED[verdicts[0].compared])
    return f"""<section>
<h2>Is any arm better than {BASELINE} search?</h2>
{listed(verdicts)}
<p class="soft">Compared: {compared}, paired over seeds (paired t-test).{together}
{sealed}</p>
</section>"""


def listed(verdicts: Sequence[ArmVerdict]) -> str:
    """Verdicts with their sentences, as an HTML list."""
    items = "".join(
        f'<li><span class="chip {verdict.verdict}">{verdict.verdict}</span>'
        f"<span>{escape(_as_sentence(verdict.sentence))}</span></li>"
        for verdict in verdicts
    )
    return f'<ul class="verdicts">{items}</ul>'


def _as_sentence(text: str) -> str:
    return f"{text[:1].upper() + text[1:] if text.startswith('cannot') else text}."

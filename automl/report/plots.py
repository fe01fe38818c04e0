"""The plots of the HTML page, each with a text alternative and a caption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from automl.report.campaign_report import CampaignReport
from automl.report.charts.anytime import anytime
from automl.report.charts.arms_figures import differences, side_by_side
from automl.report.charts.look import Figure
from automl.report.charts.many_seeds import many_seeds
from automl.report.charts.parallel import parallel
from automl.report.charts.search_figures import importance, pareto
from automl.report.wording import plural


@dataclass(frozen=True)
class Plot:
    """A figure with its id in the page, its text alternative and its caption."""

    name: str
    alternative: str
    figure: Figure
    caption: str

    @property
    def html(self) -> str:
        """The place where the browser draws it."""
        layout = self.figure["layout"]
        size = f"min-height:{layout['height']}px"
        if least := layout.get("meta", {}).get("least_width"):  # it scrolls where there is less room
            size += f";min-width:{least}px"
        label = f'role="img" aria-label="{escape(self.alternative)}"'
        return f"""<figure>
<div class="scroll"><div class="plot" id="{self.name}" {label} style="{size}"></div></div>
<noscript><p class="soft">This plot needs JavaScript; the tables do not.</p></noscript>
<figcaption>{escape(self.caption + self._left_out)}</figcaption>
</figure>"""

    @property
    def _left_out(self) -> str:
        """How many trials are not drawn, where that is so."""
        hidden = self.figure["layout"].get("meta", {}).get("left_out", 0)
        return (
            f" Not drawn: {plural(hidden, 'other trial')}, evenly left out; the JSON has all."
            if hidden
            else ""
        )


class Plots:
    """The plots of one page, by name."""

    def __init__(self, report: CampaignReport) -> None:
        plots = [*_of_comparison(report), *_of_search(report)]
        self.by_name: Mapping[str, Plot] = {plot.name: plot for plot in plots}

    def titled(self, title: str, *names: str) -> str:
        """A heading and the plots whose names begin with one of `names`; empty when there is none."""
        shown = [plot.html for plot in self.by_name.values() if plot.name.startswith(names)]
        return "\n".join([f"<h2>{escape(title)}</h2>", *shown]) if shown else ""

    def html(self, name: str) -> str:
        """One plot; empty when there is nothing to draw."""
        return self.by_name[name].html if name in self.by_name else ""


def _of_comparison(report: CampaignReport) -> Iterator[Plot]:
    metric, many = report.metric.name, many_seeds(report.arms.values())
    if figure := differences(report):
        yield Plot(
            "plot-differences",
            f"Difference in {metric} between each arm and random search, with 95 % intervals",
            figure,
            "Filled marks: decided. Open marks: undecided. Each interval is for its pair alone.",
        )
    if figure := anytime(report):
        yield Plot(
            "plot-anytime",
            f"Best {metric} so far against device-seconds, for each arm",
            figure,
            f"{_MEDIANS if many else _MEANS} A curve begins where all seeds have a "
            "complete trial; the cost includes pruned and failed trials. Dashed: a reference (one trial).",
        )
    if figure := side_by_side(report):
        yield Plot(
            "plot-levels",
            f"{metric} on validation, after retraining, and on test, for every search",
            figure,
            f"{_BOXES if many else _ROWS} The drop from the best "
            "validation value to the fresh seeds is selection bias.",
        )


_MEANS = "Line: mean over seeds. Band: from the worst to the best seed."
_MEDIANS = "Line: median over seeds. Band: between the quartiles."
_ROWS = "One row of marks for each seed; long ticks: means over seeds."
_BOXES = "Boxes: quartiles and median over seeds, whiskers from 5 to 95 % of them."


def _of_search(report: CampaignReport) -> Iterator[Plot]:
    metric = report.metric.name
    if figure := importance(report):
        yield Plot(
            "plot-importance",
            "Importance of the parameters",
            figure,
            "Share of each parameter in being among the best tenth of all trials (PED-ANOVA), over the "
            "arms that search the study's space. A hint, not a test; rough with fewer than 100 trials.",
        )
    if figure := parallel(report):
        yield Plot(
            "plot-parallel",
            f"Configurations as lines across their parameters, coloured by {metric}",
            figure,
            "Each line is a complete trial; darker is better. Click a group in the legend to hide it.",
        )
    for i, other in enumerate(report.settings.metrics[1:], start=1):
        if figure := pareto(report, i):
            yield Plot(
                f"plot-pareto-{i}",
                f"{metric} against {other.name} of all trials",
                figure,
                "Large marks: the Pareto set. No other trial is as good in all metrics and better in one.",
            )

"""An explanation as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from automl.explaining import figures
from automl.explaining.dependence import Dependence
from automl.explaining.explanation import Explanation
from automl.explaining.wording import loss_of_columns, output_of, score, short
from automl.report.markup import Column, note, table
from automl.report.page import page
from automl.report.plots import Plot

SHOWN: Final = 100  # columns of the table
GROUPS: Final = 50
CELLS: Final = 4  # of a wrong row


def html(found: Explanation) -> str:
    """A self-contained page: importances, partial dependence, agreement, worst rows and groups."""
    plots = {plot.name: plot for plot in _plots(found)}
    model = f"{found.trial}, a model of the training rows"
    header = f"""<header>
<h1>What the model of {escape(found.target)} goes by</h1>
<p>Campaign {escape(found.campaign)}, arm {escape(found.arm)}</p>
{note(f"{score(found)} · {model}")}
{"".join(note(one) for one in found.notes)}
</header>"""
    curves = [plot.html for name, plot in plots.items() if name.startswith("plot-curve")]
    main = [
        "<h2>Columns that matter</h2>",
        *(plot.html for name, plot in plots.items() if name == "plot-importance"),
        _columns(found),
        *(["<h2>How predictions depend on them</h2>", _about_curves(), *curves] if curves else []),
        *(_agreement(found, plots["plot-agreement"]) if "plot-agreement" in plots else []),
        "<h2>Worst rows</h2>",
        _worst(found),
        "<h2>Groups that are served badly</h2>",
        _groups(found),
    ]
    footer = note("Of validation rows alone, which the model has not seen; the sealed test stays sealed.")
    return page(f"Explanation of {found.campaign}", header, "\n".join(main), footer, plots)


def _plots(found: Explanation) -> Iterator[Plot]:
    if figure := figures.importance(found):
        text = "Importance of the columns, with 95 % intervals"
        yield Plot("plot-importance", text, figure, f"{loss_of_columns(found)}. Open marks: maybe nothing.")
    for place, one in enumerate(found.dependence):
        text = f"Partial dependence on {one.column}"
        yield Plot(f"plot-curve-{place}", text, figures.dependence(one, output_of(found, one)), _caption(one))
    if found.calibration:
        text = "Share of rows against the predicted probability"
        caption = (
            "Bins of about as many rows each, with Wilson's 95 % intervals. Mean distance from the dotted "
            f"line: {found.calibration.error:.3g}."
        )
        yield Plot("plot-agreement", text, figures.calibration(found.calibration), caption)
    if found.pairs:
        text = f"Predicted against true {found.target}"
        caption = f"{len(found.pairs.truth):,} of {found.rows:,} rows. Dotted: both equal."
        yield Plot("plot-agreement", text, figures.agreement(found.pairs, found.target), caption)


def _caption(one: Dependence) -> str:
    which = "" if len(one.outputs) == 1 else f" of {one.outputs[0]}"
    others = f" {one.left_out:,} rarer categories are not shown." if one.left_out else ""
    marks = "quantiles of the column" if one.kind != "category" else "its most frequent categories"
    return (
        f"{one.column}: mean over {one.rows:,} rows at {len(one.at)} values, {marks}; "
        f"lines{which} of {len(one.lines)} single rows.{others}"
    )


def _about_curves() -> str:
    return note(
        "Each line is a row of which this column alone is set to other values (ICE); their mean is the "
        "partial dependence. Lines that run apart: what the column does depends on others. Values that do "
        "not occur together are combined too, and nothing here is a cause."
    )


def _columns(found: Explanation) -> str:
    columns = [Column("column"), Column("importance"), Column("95 % interval"), Column("", "text")]
    rows = [
        [
            escape(one.column),
            f"{one.mean:.3g}",
            f"{one.interval[0]:.3g} … {one.interval[1]:.3g}",
            "" if one.matters else "maybe nothing",
        ]
        for one in found.columns[:SHOWN]
    ]
    more = note(f"{len(found.columns) - SHOWN:,} more; --json has all") if len(found.columns) > SHOWN else ""
    shown = f"<details><summary>All figures</summary>{table(columns, rows)}{more}</details>"
    return shown if rows else note("The model has no columns.")


def _agreement(found: Explanation, plot: Plot) -> list[str]:
    title = "Are probabilities shares?" if found.calibration else "Predicted and true"
    return [f"<h2>{title}</h2>", plot.html]


def _worst(found: Explanation) -> str:
    if not found.worst:
        return note("No row is predicted wrongly.")
    columns = [Column("row"), Column("truth"), Column("predicted"), Column("loss"), Column("cells", "text")]
    rows = []
    for one in found.worst:
        cells = [f"{name}={short(cell)}" for name, cell in list(one.cells.items())[:CELLS]]
        values = [str(one.row), short(one.truth), short(one.prediction), f"{one.loss:.3g}", ", ".join(cells)]
        rows.append([escape(value) for value in values])
    about = f"By {found.loss}. Rows are counted in the validation part; cells of the most important columns."
    return note(about) + table(columns, rows)


def _groups(found: Explanation) -> str:
    if not found.groups:
        return note(f"None of {found.looked_at:,} groups is worse than the other rows beyond chance.")
    headings = ["group", "rows", "loss", "of others", "difference, interval"]
    rows = []
    for one in found.groups[:GROUPS]:
        low, high = one.interval
        values = [f"{one.rows:,}", f"{one.loss:.3g}", f"{one.others:.3g}", f"{low:.3g} … {high:.3g}"]
        rows.append([escape(f"{short(one.column)}: {one.value}"), *values])
    about = (
        f"By mean {found.loss}. Those of {found.looked_at:,} that are worse than all other rows beyond "
        "chance; the intervals hold at 95 % for all of them together (Bonferroni). Groups overlap."
    )
    more = note(f"{len(found.groups) - GROUPS:,} more; --json has all") if len(found.groups) > GROUPS else ""
    return note(about) + table([Column(heading) for heading in headings], rows) + more

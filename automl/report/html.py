"""The report as one HTML file that needs nothing else: no server, no network, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from automl.report import collapse
from automl.report.charts import figures, search_figures
from automl.report.charts.look import Figure
from automl.report.meta import section as meta_section
from automl.report.proxy_ranking import section as proxies_section
from automl.report.rung_ranking import section as rungs_section
from automl.report.sections import comparison_table, failures, provenance, verdicts, warnings, winners
from automl.report.style import CSS, SCRIPT
from automl.report.wording import Units, budget_text, units_of

# Nothing may be loaded, and no script may run but the two named by their hash.
_POLICY: Final = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def html(data: Mapping[str, Any]) -> str:
    """What `collect` gave, as a self-contained page with plotly.js inside (about 5 MB)."""
    units = units_of(data)
    drawn = _figures(data, units)
    shown = {name: figure for name, (_, figure, _) in drawn.items()}
    main = "\n".join([*_comparison(data, units, drawn), *_search(data, units, drawn)])
    plotly, policy = "", _POLICY.format(scripts=_hash(SCRIPT))
    if shown:
        from plotly.offline import get_plotlyjs

        plotly = get_plotlyjs()
        policy = _POLICY.format(scripts=f"{_hash(plotly)} {_hash(SCRIPT)}")
    title = escape(f"{data['study']}: report of {data['campaign']}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{CSS}</style>
</head>
<body>
{_header(data)}
<main>
{main}
</main>
<footer>
{provenance(data)}
</footer>
<script type="application/json" id="figures">{_json(shown)}</script>
<script>{plotly}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _header(data: Mapping[str, Any]) -> str:
    day = datetime.fromtimestamp(data["created_at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
    space = (data["space"] or {}).get("name")
    seeds = max((len(searches) for searches in data["arms"].values()), default=0)
    about = [
        f"started {day}",
        f"dataset {data['dataset']}" if data["dataset"] else "",
        f"space {space}" if space else "",
        budget_text(data["budget"]),
        f"seeds: {seeds}",
        f"metric: {data['metric']} ({data['direction']})",
    ]
    line = escape(" · ".join(part for part in about if part))
    return f"""<header>
<h1>{escape(data["study"])}</h1>
<p>Campaign {escape(data["campaign"])} <span class="status">{escape(data["status"])}</span></p>
<p class="soft">{line}</p>
{warnings(data)}
</header>"""


Drawn = dict[str, tuple[str, Figure, str]]


def _figures(data: Mapping[str, Any], units: Units) -> Drawn:
    """Element id → what the figure shows (for those who cannot see it), the figure, its caption."""
    metric = data["metric"]
    candidates: dict[str, tuple[str, Figure | None, str]] = {
        "plot-differences": (
            f"Differences of the arms to random in {metric}, with 95 % intervals",
            figures.differences(data, units),
            "Filled: decided. Open: cannot tell yet. Each interval is that of its pair alone.",
        ),
        "plot-anytime": (
            f"Best {metric} so far against device-seconds, for each arm",
            figures.anytime(data, units),
            f"{_band(data)} A curve begins where all seeds "
            "have a complete trial; pruned and failed trials cost too. Dashed: a reference, one trial.",
        ),
        "plot-levels": (
            f"{metric} on validation, after retraining, and on test, for every search",
            figures.side_by_side(data, units),
            f"{_marks(data)} What shrinks from the best "
            "validation value to the fresh seeds is the luck of the selection.",
        ),
        "plot-importance": (
            "Importance of the parameters",
            search_figures.importance(data),
            "Share of each parameter in being among the best tenth of all trials (PED-ANOVA), over the "
            "arms that search the study's space. A hint, not a test; below 100 trials a rough one.",
        ),
        "plot-parallel": (
            f"Configurations as lines across their parameters, coloured by {metric}",
            search_figures.parallel(data, units),
            "Each line is a complete trial, the darker the better. Click a group in the legend to hide it.",
        ),
    }
    for i, other in enumerate(data["metrics"][1:], start=1):
        candidates[f"plot-pareto-{i}"] = (
            f"{metric} against {other['name']} of all trials",
            search_figures.pareto(data, i),
            "Large marks: trials of the Pareto set, none is as good in all metrics and better in one.",
        )
    return {name: (alt, figure, caption) for name, (alt, figure, caption) in candidates.items() if figure}


def _band(data: Mapping[str, Any]) -> str:
    if figures.many_seeds(data):
        return "Line: median over seeds. Band: between the quartiles."
    return "Line: mean over seeds. Band: from the worst to the best seed."


def _marks(data: Mapping[str, Any]) -> str:
    if figures.many_seeds(data):
        return "Boxes: quartiles and median over seeds, whiskers from 5 to 95 % of them."
    return "One row of marks for each seed; long ticks: means over seeds."


def _comparison(data: Mapping[str, Any], units: Units, drawn: Drawn) -> list[str]:
    return [
        verdicts(data),
        _figure("plot-differences", drawn),
        "<h2>All arms</h2>",
        comparison_table(data, units),
        meta_section(data, units),
        _titled("What a budget buys", ["plot-anytime"], drawn),
        _titled("Validation, fresh seeds, test", ["plot-levels"], drawn),
    ]


def _search(data: Mapping[str, Any], units: Units, drawn: Drawn) -> list[str]:
    fronts = [name for name in drawn if name.startswith("plot-pareto")]
    return [
        _titled("Trade-offs", fronts, drawn),
        rungs_section(data),
        proxies_section(data),
        collapse.section(data),
        winners(data, units),
        _titled("What mattered", ["plot-importance", "plot-parallel"], drawn),
        failures(data),
    ]


def _titled(title: str, names: list[str], drawn: Drawn) -> str:
    shown = [_figure(name, drawn) for name in names if name in drawn]
    return "\n".join([f"<h2>{escape(title)}</h2>", *shown]) if shown else ""


def _figure(name: str, drawn: Drawn) -> str:
    if name not in drawn:
        return ""
    alt, figure, caption = drawn[name]
    height = figure["layout"]["height"]
    return f"""<figure>
<div class="plot" id="{name}" role="img" aria-label="{escape(alt)}" style="min-height:{height}px"></div>
<noscript><p class="soft">This plot needs JavaScript; the tables do not.</p></noscript>
<figcaption>{escape(caption)}</figcaption>
</figure>"""


def _json(figures: Mapping[str, Figure]) -> str:
    text = json.dumps(figures, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")  # no "</script>" can end the element early


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"

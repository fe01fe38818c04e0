"""The report as one HTML file that needs nothing else: no server, no network, readable without scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape

from automl.report import (
    collapse,
    combined,
    comparison,
    constrained,
    data,
    deciding,
    failures,
    few_shot,
    last,
    optimism,
    proxy_ranking,
    ranking,
    reevaluated,
    remembered,
    rung_ranking,
    transferred_shown,
    verdicts,
    warnings,
    winners,
)
from automl.report.campaign_report import CampaignReport
from automl.report.page import page
from automl.report.plain import plain
from automl.report.plots import Plots
from automl.report.wording import budget_text


def html(report: CampaignReport) -> str:
    """A report as a self-contained page with the part of plotly.js that it needs."""
    plots = Plots(report)
    title = f"{report.study}: report of {report.campaign}"
    return page(title, _header(report), _main(report, plots), _provenance(report), plots.by_name)


def _header(report: CampaignReport) -> str:
    day = datetime.fromtimestamp(report.created_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    settings = report.settings
    about = [
        f"started {day}",
        f"dataset {settings.dataset}" if settings.dataset else "",
        f"space {settings.space_name}" if settings.space_name else "",
        budget_text(settings.budget),
        f"seeds: {report.most_seeds}",
        f"metric: {report.metric.name} ({report.metric.direction})",
    ]
    line = escape(" · ".join(part for part in about if part))
    return f"""<header>
<h1>{escape(report.study)}</h1>
<p>Campaign {escape(report.campaign)} <span class="status">{escape(report.status)}</span></p>
<p class="soft">{line}</p>
{warnings.section(report.warnings)}
</header>"""


def _main(report: CampaignReport, plots: Plots) -> str:
    """The comparison first, then what was searched and found."""
    units, metric, ranked, chosen = report.units, report.metric, report.ranked, report.chosen
    parts = [
        verdicts.section(report.comparison.verdicts, report.openings),
        plots.html("plot-differences"),
        last.section(report.last),
        "<h2>All arms</h2>",
        comparison.section(ranked, report.comparison, metric, units, chosen),
        ranking.section(report.comparison, chosen),
        optimism.section(report.comparison.optimism, units, chosen),
        combined.section(ranked),
        deciding.section(ranked, metric.name),
        constrained.section(report.constraints, ranked, chosen),
        reevaluated.section(report.reevaluated, report.settings, units, chosen),
        transferred_shown.section(report.transfers, report.settings, report.comparison, units, chosen),
        few_shot.section(report.ranked_few_shot, metric.name, units, chosen),
        plots.titled("Best value against cost", "plot-anytime"),
        plots.titled("Validation, fresh seeds, test", "plot-levels"),
        plots.titled("Trade-offs", "plot-pareto"),
        rung_ranking.section(report.rungs, chosen),
        proxy_ranking.section(report.proxies),
        collapse.section(report.collapse, chosen),
        winners.section(ranked, report.settings.space_name, units, chosen),
        plots.titled("Important parameters", "plot-importance", "plot-parallel"),
        failures.section(report.failures, chosen),
        remembered.section(report.remembered),
        data.section(report.provenance),
    ]
    return "\n".join(parts)


def _provenance(report: CampaignReport) -> str:
    """Code, versions and machine, folded."""
    text = json.dumps(plain(report.provenance), indent=2, ensure_ascii=False)
    return f"<details><summary>Provenance</summary><pre>{escape(text)}</pre></details>"

"""The parts of the HTML page that are text and tables. Everything that comes from outside is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from statistics import fmean
from typing import Any

from automl.report.charts.embedding import embedded
from automl.report.charts.pictures import cell_picture
from automl.report.comparison import BASELINE, LEVELS
from automl.report.wording import COMPARED, Units, plural, seconds, test_set

CARDS = 8  # winners of an arm that are shown
LINES = 5  # seeds that are listed with a winner


def warnings(data: Mapping[str, Any]) -> str:
    """What to know before reading on; empty when there is nothing."""
    if not data["warnings"]:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in data["warnings"])
    return f'<div class="note" role="note"><strong>To know</strong><ul>{items}</ul></div>'


def verdicts(data: Mapping[str, Any]) -> str:
    """The answer to whether any arm is better than the baseline."""
    if not data["verdicts"]:
        return ""
    items = "".join(
        f'<li><span class="chip {verdict["verdict"]}">{verdict["verdict"]}</span>'
        f"<span>{escape(_sentence(verdict['sentence']))}</span></li>"
        for verdict in data["verdicts"]
    )
    family = data["verdicts"][0]["comparisons"]
    together = (
        f" The p-values are corrected together for {family} comparisons (Holm) and decide at 0.05; "
        "each interval is that of its pair alone, so an interval without zero may still be undecided."
        if family > 1
        else ""
    )
    sealed = test_set(data["test_openings"]) if data["dataset"] else ""
    return f"""<section>
<h2>Is any arm better than {BASELINE} search?</h2>
<ul class="verdicts">{items}</ul>
<p class="soft">Compared: {escape(COMPARED[data["compared"]])}, paired over seeds (paired t-test).{together}
{sealed}</p>
</section>"""


def _sentence(text: str) -> str:
    return f"{text[:1].upper() + text[1:] if text.startswith('cannot') else text}."


def comparison_table(data: Mapping[str, Any], units: Units) -> str:
    """Trials, cost, values and gaps of each arm, best first."""
    levels = LEVELS[::-1]
    marked = {level: ' class="compared"' if level == data["compared"] else "" for level in levels}
    names = {"validation": "validation, best trial", "fresh": "validation, fresh seeds", "test": "test"}
    heads = "".join(f'<th scope="col"{marked[level]}>{names[level]}</th>' for level in levels)
    rows = []
    for arm in data["ranking"]:
        searches = data["arms"][arm]
        counts = [
            sum(search["trials"][state] for search in searches) for state in ("complete", "pruned", "failed")
        ]
        cost = fmean(search["device_seconds"] for search in searches) if searches else None
        cells = [*map(str, counts), seconds(cost)]
        values = "".join(
            f"<td{marked[level]}>{units.spread(data['summary'][arm][level])}</td>" for level in levels
        )
        gaps = [_gap(searches, key, units) for key in ("validation_to_fresh", "fresh_to_test")]
        rows.append(
            f'<tr><th scope="row">{escape(arm)}<br><span class="soft">{escape(_about(data, arm))}</span></th>'
            + "".join(f"<td>{cell}</td>" for cell in cells)
            + values
            + "".join(f"<td>{gap}</td>" for gap in gaps)
            + "</tr>"
        )
    return f"""<div class="scroll"><table>
<thead><tr><th scope="col">arm</th><th scope="col">complete</th><th scope="col">pruned</th>
<th scope="col">failed</th><th scope="col">device time of a search</th>{heads}
<th scope="col">fresh − best</th><th scope="col">test − fresh</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>
<p class="soft">{escape(units.label(data["metric"]))}: mean ± standard deviation over seeds; the last two
columns are means{escape(f", in{units.difference_unit}" if units.difference_unit else "")}. Retraining with
fresh seeds is not part of a search's device time.</p>"""


def _about(data: Mapping[str, Any], arm: str) -> str:
    info = data["arm_info"][arm]
    if info["reference"]:
        return "hand-designed" if info["reference"] == arm else f"hand-designed: {info['reference']}"
    parts = [info["strategy"] or info["evaluator"] or ""]
    parts += [info["pruner"]] if info["pruner"] not in (None, "none") else []
    return " + ".join(part for part in parts if part and part != arm)


def _gap(searches: list[dict[str, Any]], key: str, units: Units) -> str:
    gaps = [search["gaps"][key] for search in searches if search["gaps"][key] is not None]
    return units.difference(fmean(gaps), sign=True) if gaps else "–"


def winners(data: Mapping[str, Any], units: Units) -> str:
    """What the searches have selected, the most frequent first, with a picture when it is a cell."""
    parts = []
    for arm in data["ranking"]:
        same: dict[str, list[dict[str, Any]]] = {}
        for search in data["arms"][arm]:
            if search["best"]:
                same.setdefault(json.dumps(_found(search), sort_keys=True), []).append(search)
        if same:
            often = sorted(same.values(), key=len, reverse=True)
            cards = "".join(_card(data, searches, units) for searches in often[:CARDS])
            rest = f'<p class="soft">and {plural(len(often) - CARDS, "other configuration")}</p>'
            rest = rest if len(often) > CARDS else ""
            parts.append(f'<h3>{escape(arm)}</h3><div class="cards">{cards}</div>{rest}')
    return f"<h2>Winners</h2>{''.join(parts)}" if parts else ""


def _found(search: Mapping[str, Any]) -> dict[str, Any]:
    return dict(search["best"]["derived"] or search["best"]["config"])


def _card(data: Mapping[str, Any], searches: list[dict[str, Any]], units: Units) -> str:
    """The configuration that these searches of one arm have all selected."""
    config = _found(searches[0])
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(_scalar(value))}</dd>" for name, value in config.items()
    )
    picture = _cell(data, config)
    listing = f"<dl>{rows}</dl>"
    if picture or len(config) > 8:
        listing = f"<details><summary>configuration</summary>{listing}</details>"
    lines = "".join(f"<p>{_values(search, units)}</p>" for search in searches[:LINES])
    if len(searches) > LINES:
        lines += f"<p>and {plural(len(searches) - LINES, 'other seed')}</p>"
    return f'<article class="card">{lines}{picture}{listing}</article>'


def _values(search: Mapping[str, Any], units: Units) -> str:
    best = search["best"]
    values = [f"validation {units.value(best['value'])}"]
    values += [f"{level} {units.value(fmean(search[level]))}" for level in ("fresh", "test") if search[level]]
    trial = escape(best["trial"].rpartition("/")[2])
    return f"<strong>seed {search['seed']}</strong>, trial {trial}<br>{' · '.join(values)}"


def _scalar(value: Any) -> str:
    """Six digits of a number; the export keeps them all."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def failures(data: Mapping[str, Any]) -> str:
    """Failed trials by arm and reason, with the end of a traceback."""
    if not data["failures"]:
        return ""
    rows = []
    for kind in data["failures"]:
        trace = f"<details><summary>traceback</summary><pre>{escape(kind['traceback'])}</pre></details>"
        named = ", ".join(kind["trials"]) + (" …" if kind["count"] > len(kind["trials"]) else "")
        rows.append(
            f'<tr><td>{escape(kind["arm"])}</td><td>{kind["count"]}</td><td class="text">'
            f'{escape(kind["reason"])}<br><span class="soft">{escape(named)}</span>'
            f"{trace if kind['traceback'] else ''}</td></tr>"
        )
    return f"""<h2>Failures</h2><div class="scroll"><table><thead><tr><th scope="col">arm</th>
<th scope="col">trials</th><th scope="col" class="text">reason</th></tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>"""


def provenance(data: Mapping[str, Any]) -> str:
    """Code, versions and machine, folded."""
    text = json.dumps(data["provenance"], indent=2, ensure_ascii=False)
    return f"<details><summary>Provenance</summary><pre>{escape(text)}</pre></details>"


def _cell(data: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The cell as an image, in which no script could run; empty for what is no cell."""
    svg = cell_picture(data["space"], config)
    if svg is None:
        return ""
    return embedded(svg, "Cell: " + ", ".join(f"{name} {value}" for name, value in config.items()))

"""What the model of `automl fit` may need: milliseconds for a row, bytes; constraints of its study."""

from __future__ import annotations

from collections.abc import Iterator

from automl.contracts import Json
from automl.report import CampaignReport
from automl.report.chosen import Chosen


def constraints_of(infer_limit: float | None, size_limit: str | float | None) -> Json:
    """The key `constraints`. `infer_limit`: milliseconds for one row; `size_limit`: bytes, or as `50MB`."""
    wanted = {"latency": None if infer_limit is None else f"{infer_limit}ms", "model_size": size_limit}
    return {name: {"at_most": bound} for name, bound in wanted.items() if bound is not None}


def about(constraints: Json) -> Iterator[str]:
    """What the bounds mean."""
    if "latency" in constraints:
        bound = constraints["latency"]["at_most"]
        yield f"latency: at most {bound} for one row that is predicted alone, measured where trials run"
    if "model_size" in constraints:
        yield f"model_size: at most {constraints['model_size']['at_most']}, of the file that holds the model"


def kept(report: CampaignReport, found: Chosen) -> Iterator[str]:
    """What the model that was scored needs."""
    search = f"{report.campaign}/{found.arm}/{found.search.seed}"
    for one in report.constraints:
        for value in one.retrained.get(search, ())[:1]:
            beyond = report.settings.constraints[one.metric].violation(value) > 0
            yield f"{one.metric}: {value:.4g}{', but' if beyond else ','} must be {one.bounds}"

"""Everything that was ever claimed on one dataset: each arm against random search, corrected together.

Whoever runs enough campaigns on one dataset finds an arm that beats random search by chance. So all p-values
of all campaigns on it are corrected together, by Holm's method: it holds under any dependence (arms of a
campaign share its baseline, campaigns share data and often seeds), and it bounds what a reader asks for, the
chance that any of the wins is false, by 5 %. Benjamini and Yekutieli's would bound the share of false wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from automl.contracts import Direction, UserError
from automl.report.comparable import dataset_name
from automl.report.comparison import compare_arms
from automl.report.judging import Answer
from automl.report.plain import plain
from automl.report.standing import Standing, standings
from automl.report.statistics import ALPHA, holm
from automl.report.verdicts import BASELINE, ArmVerdict

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.report.records import Records

_LEAST: Final = 6  # characters of a digest that name data


@dataclass(frozen=True)
class Claim:
    """An arm of a finished campaign against random search; the difference is arm − random.

    `verdict`: by `p_value`, corrected over all claims on the dataset; `then`: that in its own campaign.
    """

    campaign: str
    study: str
    arm: str
    metric: str
    compared: str
    difference: float | None
    interval: tuple[float, float] | None
    single_p_value: float | None
    p_value: float | None
    verdict: Answer
    then: Answer
    seeds: int
    data: str | None
    created_at: float


@dataclass(frozen=True)
class ArmRecord:
    """How often an arm of that name was better, worse and undecided, after the correction."""

    arm: str
    better: int
    worse: int
    undecided: int


@dataclass(frozen=True)
class History:
    """All campaigns on a dataset. `claims`: the newest first. `datas`: digests of data, with their campaigns.

    `left_out`: campaigns without a claim, and why. `test_openings`: of all campaigns together, with the
    `transfer_openings` by campaigns on other data, which tried their winners on this dataset.
    """

    dataset: str
    campaigns: int
    studies: tuple[str, ...]
    datas: tuple[tuple[str | None, int], ...]
    test_openings: int
    comparisons: int
    arms: tuple[ArmRecord, ...]
    claims: tuple[Claim, ...]
    left_out: tuple[tuple[str, str], ...]
    transfer_openings: int = 0

    @property
    def negative(self) -> tuple[Claim, ...]:
        """What did not beat random search."""
        return tuple(claim for claim in self.claims if claim.verdict != "better")

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON."""
        data = plain(self)
        return {**(data if isinstance(data, dict) else {}), "baseline": BASELINE, "correction": "Holm"}


def history(ledger: Records, rows: Sequence[CampaignRow], dataset: str) -> History:
    """The history of a dataset: its name, its file, or the first characters of the digest of its data.

    Raises `UserError` when no campaign was on it.
    """
    own = _on(rows, dataset)
    elsewhere = _transferred(ledger, rows, {name for row in own for name in _names(row)})
    chosen = standings(ledger, own)
    chosen.sort(key=lambda one: one.created_at, reverse=True)
    found, left_out = [], []
    for one in chosen:
        why = _without_claim(one)
        if why:
            left_out.append((one.campaign, why))
            continue
        verdicts = compare_arms(list(one.arms.values()), one.settings, finished=True).verdicts
        found += [(one, verdict) for verdict in verdicts]
    tested = [i for i, (_, verdict) in enumerate(found) if verdict.single_p_value is not None]
    corrected, _ = holm([found[i][1].single_p_value or 0.0 for i in tested])
    p_values = dict(zip(tested, corrected, strict=True))
    claims = tuple(_claim(one, verdict, p_values.get(i)) for i, (one, verdict) in enumerate(found))
    return History(
        dataset=dataset_name(dataset) or dataset,
        campaigns=len(chosen),
        studies=tuple(sorted({one.study for one in chosen})),
        datas=tuple(Counter(one.data for one in chosen).items()),
        test_openings=sum(one.test_openings for one in chosen) + elsewhere,
        comparisons=len(tested),
        arms=_by_arm(claims),
        claims=claims,
        left_out=tuple(left_out),
        transfer_openings=elsewhere,
    )


def _on(rows: Sequence[CampaignRow], dataset: str) -> list[CampaignRow]:
    """Campaigns on data of that name, and others on the same data under another name."""
    name = dataset_name(str(Path(dataset).resolve())) if Path(dataset).is_file() else dataset
    digests = {row.id: _data(row).get("digest") for row in rows}
    named = [row for row in rows if name in _names(row)]
    if not named and len(dataset) >= _LEAST:
        named = [row for row in rows if str(digests[row.id] or "").startswith(dataset)]
    if not named:
        known = sorted({name for row in rows for name in _names(row)})
        raise UserError(
            f"DATASET must be one that a campaign was on, but got {dataset!r}; known: "
            f"{', '.join(known[:20]) or 'none'}"
        )
    same = {digests[row.id] for row in named} - {None}
    return [row for row in rows if row in named or digests[row.id] in same]


def _transferred(ledger: Records, rows: Sequence[CampaignRow], names: set[str]) -> int:
    """Openings of the test set of datasets of these names by campaigns on others (`transfer`)."""
    count = 0
    for row in rows:
        others = row.spec.get("transfer") or ()
        called = {one["name"] for one in others if dataset_name(one["dataset"]) in names}
        if called:
            count += sum(opening.dataset in called for opening in ledger.transfer_openings(row.id))
    return count


def _names(row: CampaignRow) -> set[str]:
    names = {dataset_name(row.summary.dataset), _data(row).get("name")}
    return {str(name) for name in names if name}


def _data(row: CampaignRow) -> dict[str, object]:
    noted = row.provenance.get("data")
    return noted if isinstance(noted, dict) else {}


def _without_claim(one: Standing) -> str:
    if one.status != "finished":
        return one.status
    if BASELINE not in one.arms:
        return f"it has no arm {BASELINE}"
    return "" if len(one.arms) > 1 else f"it has no arm but {BASELINE}"


def _claim(one: Standing, verdict: ArmVerdict, p_value: float | None) -> Claim:
    answer: Answer = "undecided"
    if p_value is not None and p_value < ALPHA and verdict.difference is not None:
        ahead = verdict.difference > 0
        answer = "better" if ahead == (one.metric.direction is Direction.MAXIMIZE) else "worse"
    return Claim(
        campaign=one.campaign,
        study=one.study,
        arm=verdict.arm,
        metric=one.metric.name,
        compared=verdict.compared,
        difference=verdict.difference,
        interval=verdict.interval,
        single_p_value=verdict.single_p_value,
        p_value=p_value,
        verdict=answer,
        then=verdict.verdict,
        seeds=verdict.seeds,
        data=one.data,
        created_at=one.created_at,
    )


def _by_arm(claims: Sequence[Claim]) -> tuple[ArmRecord, ...]:
    counted: dict[str, Counter[str]] = {}
    for claim in claims:
        counted.setdefault(claim.arm, Counter())[claim.verdict] += 1
    return tuple(
        ArmRecord(arm, count["better"], count["worse"], count["undecided"])
        for arm, count in sorted(counted.items())
    )

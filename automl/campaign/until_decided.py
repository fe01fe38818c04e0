"""Which seeds a campaign adds until every arm is decided: they go where they can decide something.

Random search and the arms that are still undecided get the next seeds. What comes next follows from the
report alone, which follows from the ledger: a campaign that was killed goes on as it would have.
"""

from __future__ import annotations

from automl.ledger import Ledger
from automl.progress import Progress
from automl.report import BASELINE, CampaignReport, collect, settled_verdicts


def next_searches(report: CampaignReport, at_once: int) -> list[tuple[str, int]]:
    """Arms and seeds to search next, none when every arm is decided or has all the seeds that it may get.

    `report`: of a campaign whose searches have all ended. `at_once`: trials that run at a time; as many
    seeds are added as keep them busy.
    """
    plan = report.settings.plan
    if not report.settings.until_decided or plan.last is None:
        return []
    seeds = {name: [search.seed for search in arm.searches] for name, arm in report.arms.items()}
    undecided = [
        verdict.arm
        for verdict in settled_verdicts(report)
        if verdict.verdict == "undecided"
        and verdict.arm not in report.settings.retired
        and len(seeds[verdict.arm]) < plan.last
    ]
    if not undecided:
        return []
    count = max(1, at_once // (len(undecided) + 1))
    last = max(seed for own in seeds.values() for seed in own)
    new = list(range(last + 1, last + 1 + count))
    added: dict[int, list[str]] = {}
    for arm in undecided:
        known = [seed for seed in seeds[BASELINE] if seed not in seeds[arm]]  # an arm that came later
        for seed in [*known, *new][: min(count, plan.last - len(seeds[arm]))]:
            added.setdefault(seed, [] if seed in seeds[BASELINE] else [BASELINE]).append(arm)
    return [(arm, seed) for seed in sorted(added) for arm in added[seed]]


def add_seeds(ledger: Ledger, campaign: str, at_once: int, progress: Progress) -> bool:
    """Add the searches that are next, and say so; False when there are none."""
    report = collect(ledger, campaign)
    added = next_searches(report, at_once)
    if added:
        ledger.add_searches(campaign, added)
        progress.message(_told(added, report))
    return bool(added)


def _told(added: list[tuple[str, int]], report: CampaignReport) -> str:
    arms = [arm for arm in dict.fromkeys(arm for arm, _ in added) if arm != BASELINE]
    seeds = sorted({seed for _, seed in added})
    most = report.settings.plan.last
    noun = "seed" if len(seeds) == 1 else "seeds"
    return (
        f"not decided yet: {', '.join(arms)}; {noun} {', '.join(map(str, seeds))} added for "
        f"{'it' if len(arms) == 1 else 'them'} and {BASELINE}, at most {most} in all"
    )

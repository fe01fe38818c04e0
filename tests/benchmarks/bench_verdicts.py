"""False and right verdicts of replayed campaigns, by the rule that takes them. Run as a script:

    AUTOML_DATA=… python tests/benchmarks/bench_verdicts.py [--campaigns 1000] [--pool 300] [--folder …]

A pool of real searches is run on benchmark tables with the simulated clock. A replayed campaign draws 20
seeds of it for each of two arms. `false`: both arms are random search, with other seeds. `right`: one
standard deviation is added to one arm; that is the standard deviation of one arm's values over seeds, so that
the differences of unrelated arms have a mean of 0.71 of their own standard deviation. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy import special

from automl.report.looks import Plan
from automl.report.statistics import paired

Floats = NDArray[np.float64]
MOST = 20
STUDIES = {
    "NAS-Bench-201": """
name: cells
task: {metric: accuracy}
space: nasbench201
evaluator:
  lookup:
    {file: nb201_cifar10.npz, value: cifar10_val12, cost: cifar10_cost12_s, fresh: cifar10_val200,
     test: cifar10_test200}
budget: {device_seconds: 4000}
arms:
  random: {strategy: random}
  evolution: {strategy: {regularized_evolution: {population: 10, sample: 3}}}
final: {seeds: 3}
record: searches
""",
    "HPOBench segment": """
name: networks
task: {metric: accuracy}
evaluator: {lookup: {file: segment.npz, value: val_acc, cost: train_time, fresh: val_acc}}
budget: {trials: 30}
arms: {random: {strategy: random}, tpe: {strategy: tpe}}
final: {seeds: 5}
record: searches
""",
}


@dataclass(frozen=True)
class Pool:
    """Searches of one arm by seed: `chosen`, the best validation value, and each retraining's `values`."""

    chosen: Floats
    values: Floats


@dataclass(frozen=True)
class Rule:
    """When verdicts are taken; `plan` None: an ordinary test after every seed from 3 on."""

    name: str
    plan: Plan | None
    seeds: int


RULES = [
    Rule("ordinary test, one look at 5 seeds", Plan(5, 5), 5),
    Rule("ordinary test, one look at 10 seeds", Plan(10, 10), 10),
    Rule("ordinary test, one look at 20 seeds", Plan(20, 20), 20),
    Rule("ordinary test after every seed from 3 to 20", None, 20),
    Rule("`{until: decided, at_least: 3, at_most: 10}`", Plan(3, 10), 10),
    Rule("`{until: decided, at_least: 3, at_most: 20}`", Plan(3, 20), 20),
    Rule("`seeds: 3`, grown by one seed up to 20", Plan(3), 20),
    Rule("`seeds: 5`, grown by one seed up to 20", Plan(5), 20),
    Rule("`seeds: 10`, not grown", Plan(10), 10),
]


def run_pool(text: str, seeds: int, folder: Path) -> dict[str, Pool]:
    """Run the searches of a study with `seeds` seeds each, in a store below `folder`.

    Searches whose winner lacks a value in the table are left out.
    """
    path = folder / "study.yaml"
    path.write_text(f"{text}seeds: {seeds}\n", encoding="utf-8")
    environ = {**os.environ, "AUTOML_STORE": str(folder / "store")}
    automl = [sys.executable, "-m", "automl.cli"]
    subprocess.run([*automl, "run", str(path)], env=environ, check=True, stdout=subprocess.DEVNULL)
    name = yaml.safe_load(text)["name"]
    shown = subprocess.run([*automl, "report", name, "--json"], env=environ, check=True, capture_output=True)
    pools = {}
    for arm, searches in json.loads(shown.stdout)["arms"].items():
        found = [(search["best"], search["test"] or search["fresh"]) for search in searches]
        most = max(len(values) for _, values in found)
        whole = [(best["value"], values) for best, values in found if best and len(values) == most]
        pools[arm] = Pool(np.array([chosen for chosen, _ in whole]), np.array([v for _, v in whole]))
    return pools


def p_values(differences: Floats, n: int) -> Floats:
    """Of the ordinary test at `n` seeds, for campaigns in rows."""
    part = differences[:, :n]
    error = part.std(axis=1, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, np.abs(part.mean(axis=1)) / error, np.where(part[:, 0] == 0, 0, np.inf))
    found: Floats = 2 * special.stdtr(n - 1, -t)
    return found


def decisions(differences: Floats, rule: Rule) -> tuple[float, float]:
    """The part of campaigns that is decided, and their mean number of seeds."""
    plan = rule.plan
    looks = range(3, MOST + 1) if plan is None else plan.looks(rule.seeds)
    level = 0.05 if plan is None else plan.level(0.05)
    used = np.full(len(differences), rule.seeds)
    decided = np.zeros(len(differences), dtype=bool)
    for n in looks:
        now = p_values(differences, n) <= (1.0 if plan is None else plan.weight(n)) * level
        used[now & ~decided] = n
        decided |= now
    if plan is not None:  # the report decides the same
        for row, found in zip(differences[:40], decided, strict=False):
            p_value = paired(row[: rule.seeds].tolist(), plan).p_value
            assert (p_value is not None and p_value < 0.05) == found, (rule, row)
    return float(decided.mean()), float(used.mean())


def drawn(pool: Floats, campaigns: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Values of two arms with other seeds, for campaigns in rows."""
    places = np.array([rng.choice(len(pool), 2 * MOST, replace=False) for _ in range(campaigns)])
    return pool[places[:, :MOST]], pool[places[:, MOST:]]


def rules_table(pools: Mapping[str, Floats], campaigns: int, rng: np.random.Generator) -> Iterator[str]:
    """False and right verdicts by rule, one pair of columns for each pool of random search."""
    names = list(pools)
    yield f"| verdicts in % (seeds used at one sd) | {' | '.join(f'{n}: false | right' for n in names)} |"
    yield f"|---|{'---:|---:|' * len(names)}"
    differences = {}
    for name, pool in pools.items():
        first, second = drawn(pool, campaigns, rng)
        differences[name] = first - second, first - second + pool.std(ddof=1)
    for rule in RULES:
        cells = []
        for name in names:
            wrong, _ = decisions(differences[name][0], rule)
            right, used = decisions(differences[name][1], rule)
            cells += [f"{100 * wrong:.1f}", f"{100 * right:.1f} ({used:.1f})"]
        yield f"| {rule.name} | {' | '.join(cells)} |"


def normal_table(campaigns: int, rng: np.random.Generator) -> Iterator[str]:
    """Normal values whose arms correlate over seeds, against what any test could find."""
    yield (
        "| correlation of the arms over seeds | bound: spread known, one look at 10 | one look at 10 | "
        "until decided, 3 to 10 | until decided, 3 to 20 | false, 3 to 20 |"
    )
    yield "|---:|---:|---:|---:|---:|---:|"
    for correlation in (0.0, 0.2, 0.3, 0.4, 0.5, 0.7):
        effect = 1 / np.sqrt(2 * (1 - correlation))
        noise = rng.normal(size=(10 * campaigns, MOST))
        bound = special.ndtr(effect * np.sqrt(10) - 1.96) + special.ndtr(-effect * np.sqrt(10) - 1.96)
        found = [decisions(noise + effect, RULES[place])[0] for place in (1, 4, 5)]
        found.append(decisions(noise, RULES[5])[0])
        yield f"| {correlation} | {' | '.join(f'{100 * value:.1f}' for value in (bound, *found))} |"


def reductions(pools: Mapping[str, Pool], campaigns: int, rng: np.random.Generator) -> Iterator[str]:
    """What each reduction of variance gives, with the plan of at most 10 seeds."""
    rule, (_, other) = RULES[4], list(pools)
    base = pools["random"]
    one = base.values[:, 0]
    unit = one.std(ddof=1)
    for count in range(1, base.values.shape[1] + 1):
        mean = base.values[:, :count].mean(axis=1)
        first, second = drawn(mean, campaigns, rng)
        yield _row(f"{count} retrainings averaged", mean.std(ddof=1) / unit, first - second, unit, rule)
    both = min(len(one), len(pools[other].values))
    a, b = pools[other].values[:both].mean(axis=1), base.values[:both].mean(axis=1)
    spread = b.std(ddof=1)
    centred = a - a.mean() + b.mean()
    places = np.array([rng.choice(both, MOST, replace=False) for _ in range(campaigns)])
    shuffled = rng.permuted(places, axis=1)
    same = float(np.corrcoef(a, b)[0, 1])
    yield _row(
        f"{other} − random, same seeds (correlation {same:.2f})", 1, (centred - b)[places], spread, rule
    )
    yield _row(f"{other} − random, other seeds", 1, centred[places] - b[shuffled], spread, rule)
    yield from _covariate(base, campaigns, rng, rule)


def _covariate(base: Pool, campaigns: int, rng: np.random.Generator, rule: Rule) -> Iterator[str]:
    """The search's own validation value as a covariate (CUPED), its coefficient from earlier seeds alone."""
    both = np.stack([base.values.mean(axis=1), base.chosen], axis=1)
    first, second = drawn(both, campaigns, rng)
    gap = first - second
    unit, chosen_unit = both.std(axis=0, ddof=1)
    correlation = float(np.corrcoef(both.T)[0, 1])
    none, test, chosen = np.zeros(2), np.array([unit, 0]), np.array([0, chosen_unit])
    cases: list[tuple[str, Floats, Floats]] = [
        ("one sd in both", none, test + chosen),
        ("one sd in the test values alone", none, test),
        ("false: the arm's validation values are one sd too good", chosen, test + chosen),
    ]
    for text, null, real in cases:
        wrong, _ = decisions(adjusted(gap + null), rule)
        right, _ = decisions(adjusted(gap + real), rule)
        label = f"covariate (correlation {correlation:.2f}), {text}"
        yield f"| {label} | | {100 * wrong:.1f} | {100 * right:.1f} |"


def adjusted(gap: Floats) -> Floats:
    """Differences of test values (…, 0) less those explained by the differences of validation (…, 1)."""
    result = gap[..., 0].copy()
    for n in range(3, gap.shape[1]):
        y, x = gap[:, :n, 0], gap[:, :n, 1]
        x_centred = x - x.mean(axis=1, keepdims=True)
        square = (x_centred**2).sum(axis=1)
        slope = np.where(square > 0, (x_centred * y).sum(axis=1) / np.maximum(square, 1e-300), 0)
        result[:, n] -= slope * gap[:, n, 1]
    return result


def _row(text: str, spread: float, null: Floats, unit: float, rule: Rule) -> str:
    wrong, right = decisions(null, rule)[0], decisions(null + unit, rule)[0]
    return f"| {text} | {spread:.2f} | {100 * wrong:.1f} | {100 * right:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=1000)
    parser.add_argument("--pool", type=int, default=300)
    parser.add_argument("--folder", type=Path, default=Path("build/verdicts"), help="of the searches")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    pools = {}
    for name, text in STUDIES.items():
        folder = options.folder / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        pools[name] = run_pool(text, options.pool, folder)
    tables: dict[str, Callable[[], Iterator[str]]] = {
        "Rules": lambda: rules_table(
            {
                "normal values": rng.normal(size=100_000),
                **{name: found["random"].values.mean(axis=1) for name, found in pools.items()},
            },
            options.campaigns,
            rng,
        ),
        "Normal values": lambda: normal_table(options.campaigns, rng),
    }
    for title, lines in tables.items():
        show([f"\n{title}\n", *lines()])
    for name, found in pools.items():
        show([f"\n{name}\n\n| | sd | false % | right % |\n|---|---:|---:|---:|"])
        show(reductions(found, options.campaigns, rng))


def show(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()

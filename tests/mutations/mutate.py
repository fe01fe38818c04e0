"""Mutated input of every kind: `python tests/mutations/mutate.py 2000` tries that many in two processes.

Prints a table, and keeps what did not end as promised in `corpus/`, which the suite plays again. Exit code 1
when there was something. `--first SEED` begins elsewhere, `--processes N` uses more.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import conftest  # noqa: F401 one thread a process, and no store of the developer
from endings import Mutator, Tally
from mutated_answers import MutatedAnswers, Server
from mutated_files import MutatedData, MutatedStudies
from mutated_ledgers import MutatedLedgers
from mutated_winners import MutatedWinners
from stored_campaigns import Stored, make

CORPUS = Path(__file__).with_name("corpus")
SHARES = {"studies": 9, "data": 3, "ledger": 4, "answers": 1, "winners": 3}  # of 20 cases


@contextmanager
def mutators(folder: Path) -> Iterator[dict[str, Mutator]]:
    """One of each kind, on a new store in `folder`."""
    make(folder)
    stored = Stored(folder)
    with ExitStack() as stack:
        found: dict[str, Mutator] = {
            "studies": MutatedStudies(folder),
            "data": MutatedData(folder),
            "ledger": MutatedLedgers(stored),
        }
        found["winners"] = MutatedWinners(stored)
        stored.restore()
        found["answers"] = MutatedAnswers(stored, stack.enter_context(Server(stored)))
        yield found


def kinds(first: int, count: int) -> Iterator[tuple[int, str]]:
    """Seeds, each with its kind."""
    order = [kind for kind, share in SHARES.items() for _ in range(share)]
    for seed in range(first, first + count):
        yield seed, order[seed % len(order)]


def play(mutator: Mutator, kind: str, seed: int, tally: Tally) -> None:
    """Play the case of a seed."""
    case = mutator.case(seed)
    if case is not None:
        tally.add(kind, case, mutator.play(case))


def kept(kind: str) -> list[dict[str, object]]:
    """The cases of a kind that once went wrong."""
    file = CORPUS / f"{kind}.json"
    return list(json.loads(file.read_text())) if file.exists() else []


def keep(tallies: dict[str, Tally]) -> None:
    """Add what went wrong to the corpus."""
    CORPUS.mkdir(exist_ok=True)
    for kind, tally in tallies.items():
        cases = kept(kind)
        fresh = [wrong.case for wrong in tally.wrong if wrong.case not in cases]
        if fresh:
            lines = ",\n".join(json.dumps(case) for case in [*cases, *fresh])
            (CORPUS / f"{kind}.json").write_text(f"[\n{lines}\n]\n")


def share(first: int, count: int, part: int, parts: int) -> tuple[dict[str, Tally], float]:
    """The tallies of one process, and the most memory it had, in GiB."""
    tallies = {kind: Tally() for kind in SHARES}
    with tempfile.TemporaryDirectory(prefix="automl-mutated-") as name, mutators(Path(name)) as by_kind:
        for seed, kind in kinds(first, count):
            if seed % parts == part:
                play(by_kind[kind], kind, seed, tallies[kind])
    return tallies, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> int:
    """Play, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    start, parts = time.monotonic(), options.processes
    with multiprocessing.get_context("spawn").Pool(parts) as pool:
        work = [(options.first, options.count, part, parts) for part in range(parts)]
        shares = pool.starmap(share, work)
    tallies = {kind: Tally() for kind in SHARES}
    for found, _ in shares:
        for kind, tally in found.items():
            tallies[kind].merge(tally)
    for kind, tally in tallies.items():
        codes = ", ".join(f"exit {code}: {number}" for code, number in sorted(tally.codes.items()))
        sys.stdout.write(f"{kind}: {tally.cases} cases; {codes}; slowest {tally.slowest:.1f} s; ")
        sys.stdout.write(f"not as promised: {len(tally.wrong)}\n")
        for wrong in tally.wrong:
            sys.stdout.write(f"  {json.dumps(wrong.case)[:500]}\n    {wrong.told}\n")
    keep(tallies)
    memory = max(most for _, most in shares)
    sys.stdout.write(f"{time.monotonic() - start:.0f} s; most memory: {memory:.2f} GiB a process\n")
    return int(any(tally.wrong for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())

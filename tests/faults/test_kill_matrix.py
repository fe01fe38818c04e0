"""Kills at every named moment of a campaign: nothing is lost, run twice, stuck or changed."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from fault_points import Fault
from fault_study import FaultStudy, ReplayedStudy, ScoredStudy
from invariants import error_of_ledger, faults_of, history, is_over

from automl.ledger import Store

FIGURES = os.environ.get("AUTOML_TEST_FIGURES")  # a file for what was measured


Moment = tuple[str, str]  # the role of its process, and which


class Matrix:
    """The faults of one kind of study on one store: campaign after campaign, until each has happened."""

    def __init__(
        self, folder: Path, store: Store, kind: type[FaultStudy] = FaultStudy, executor: str = "local"
    ):
        self.folder, self.store, self.kind, self.executor = folder, store, kind, executor
        self.hit: list[str] = []
        self.errors: list[float] = []
        self._numbers = count(1)
        self._log = folder / "moments"
        folder.mkdir()

    def _study(self) -> FaultStudy:
        number = next(self._numbers)
        return self.kind(self.folder / str(number), self.store, self.executor, f"faulty{number}")

    def moments(self) -> Counter[Moment]:
        """How often each moment has come so far, in the order of their first time."""
        lines = self._log.read_text().splitlines()
        return Counter((role, moment) for role, moment in (line.split(" ", 1) for line in lines) if role)

    def undisturbed(self) -> Counter[Moment]:
        """How often each moment comes when nothing is killed."""
        study = self._study()
        assert study.run(Fault(log=str(self._log))) == 0, study.output.read_text()[-2000:]
        assert faults_of(study) == []
        self.history = history(study)
        return self.moments()

    def run(self, faults: Iterable[Fault], first: Fault | None = None) -> None:
        """Let each fault happen once, as many as possible to one campaign, one after the other.

        `first`: a fault that each campaign begins with.
        """
        waiting = [replace(fault, log=str(self._log)) for fault in faults]
        while waiting:
            study, before = self._study(), len(waiting)
            if first is not None:
                study.run(first)
            for fault in waiting.copy():
                status = study.run(fault)
                if study.happened:
                    waiting.remove(fault)
                if status == 0 or is_over(study):
                    break
                assert study.happened, study.output.read_text()[-2000:]
            else:
                assert study.run() == 0, study.output.read_text()[-2000:]
            wrong = faults_of(study)
            assert not wrong, "\n".join([*wrong, *study.hit])
            assert self.executor == "ray" or history(study) == self.history, study.hit
            if len(waiting) == before:  # some come more or less often
                assert waiting[0].nth > 1, f"never came: {waiting[0]}"
                waiting = [replace(fault, nth=max(1, fault.nth - 1)) for fault in waiting]
            self.hit += study.hit
            self.errors += [error_of_ledger(study)] if study.noted else []

    def every(self, signal: str = "SIGKILL", role: str = "driver") -> None:
        """Let a fault happen the first and the last time that each moment comes.

        Those included that only faults bring, but once.
        """
        times = self.undisturbed()
        done: set[Moment] = set()
        first = None
        while new := [one for one in self.moments() if one[0] == role and one not in done]:
            self.run([Fault(role, moment, 1, signal) for role, moment in new], first)
            done.update(new)
            first = Fault(role, "trial.begin:trial")
        last = [(moment, times[who, moment]) for who, moment in done if who == role]
        self.run([Fault(role, moment, number, signal) for moment, number in last if number > 1])

    def sometimes(self, signals: Sequence[str], rng: random.Random) -> None:
        """Let a fault happen at each moment, some time that it comes."""
        times = self.undisturbed()
        self.run(
            Fault(role, moment, rng.randint(1, number), rng.choice(signals))
            for (role, moment), number in times.items()
        )

    def tell(self) -> None:
        """Write the figures where they were asked for."""
        if FIGURES:
            names = {
                "store": self.store.url.split(":")[0],
                "study": self.kind.__name__,
                "executor": self.executor,
            }
            figures = {"kills": len(self.hit), "moments": len({hit.split("#")[0] for hit in self.hit})}
            with Path(FIGURES).open("a") as file:
                file.write(json.dumps({**names, **figures, "errors": self.errors, "hit": self.hit}) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FaultStudy, ScoredStudy, ReplayedStudy])
def test_the_driver_is_killed_at_every_moment(kind: type[FaultStudy], store: Store, tmp_path: Path) -> None:
    matrix = Matrix(tmp_path / "studies", store, kind)
    matrix.every()
    matrix.tell()

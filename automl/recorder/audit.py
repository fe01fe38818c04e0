"""Compares ledger and MLflow, and corrects MLflow."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from automl.collecting import seldom
from automl.recorder.comparison import Comparison
from automl.recorder.environment import SETTINGS
from automl.recorder.expected import Expected
from automl.recorder.form import Form
from automl.recorder.mlflow_marker import is_sql
from automl.recorder.projection import project
from automl.recorder.telling import told
from automl.recorder.wanted_run import final_files
from automl.recorder.within import while_answering
from automl.recorder.writer import Beat, Writer, form_of
from automl.recorder.writer_choice import open_writer

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.store import Store

SILENCE: Final = 15  # times the time that one request may take, in which a server must have answered one


@dataclass(frozen=True)
class Audit:
    """How MLflow compares with the ledger: numbers of trials and of their runs, and identities.

    `missing`: without a run; `duplicate`: more than one run, or a run of something the ledger does not
    know; `stuck`: RUNNING while nothing runs; `different`: another status, parameter, value or parent.
    `earlier`: right, but in the form of an earlier version, which a repair writes anew. `files`: artifacts
    that the ledger lists and MLflow does not have, as `identity: name`.
    """

    trials: int
    runs: int
    missing: list[str]
    duplicate: list[str]
    stuck: list[str]
    different: list[str]
    earlier: bool = False
    files: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, list[str]]:
        """The lists that are not empty, by name."""
        lists = {
            "missing": self.missing,
            "duplicate": self.duplicate,
            "stuck": self.stuck,
            "different": self.different,
            "files": self.files,
        }
        return {name: identities for name, identities in lists.items() if identities}

    def to_json(self) -> dict[str, object]:
        """The audit as plain JSON; `earlier` and `files` only where there are some."""
        return {key: value for key, value in asdict(self).items() if key not in ("earlier", "files") or value}


def audit(store: Store, ledger: Ledger, campaign_id: str) -> Audit:
    """Whether MLflow has every trial of a campaign exactly once and right; changes no run.

    Searches and the campaign itself count too. While a driver is at work, only what it has recorded to the
    end is judged.
    """

    def work(beat: Beat) -> Audit:
        with _opened(store, ledger, campaign_id, beat) as (writer, form):
            expected = Expected.of(ledger, campaign_id, form)
            return _audit_of(expected, Comparison.of(expected, writer))

    return _answered(store, work)


def repair(store: Store, ledger: Ledger, campaign_id: str) -> Audit:
    """Write what is missing or wrong, remove what is too much; returns a new audit. May be repeated.

    Files that could not be uploaded before are uploaded, too.
    """

    def work(beat: Beat) -> Audit:
        with _opened(store, ledger, campaign_id, beat) as (writer, form):
            expected = Expected.of(ledger, campaign_id, form)
            if form.earlier and not expected.live:  # its runs are written anew
                expected = Expected.of(ledger, campaign_id, None)
            # a server lets us change no point and some other values: these need a new run, whose children a
            # new parent
            for renew in (form.earlier, False, True, False):
                comparison = Comparison.of(expected, writer)
                if comparison.clean:
                    break
                _correct(expected, comparison, writer, renew=renew)
            _upload_rest(store, ledger, expected, writer, comparison.lost)
            expected.mark()
            return _audit_of(expected, Comparison.of(expected, writer))

    return _answered(store, work)


def _answered(store: Store, work: Callable[[Beat], Audit]) -> Audit:
    """What `work` returns; what MLflow does wrong, silence included, becomes `RunError`."""
    with told(store, "be compared with the ledger"), seldom():
        if is_sql(store):
            return work(lambda: None)
        name = "MLFLOW_HTTP_REQUEST_TIMEOUT"
        return while_answering(SILENCE * float(os.environ.get(name, SETTINGS[name])), work)


@contextmanager
def _opened(store: Store, ledger: Ledger, campaign_id: str, beat: Beat) -> Iterator[tuple[Writer, Form]]:
    """The writer of a campaign, and the form of the runs that are there."""
    campaign = project(ledger, campaign_id)[0].campaign
    writer = open_writer(store, campaign, beat)
    try:
        yield writer, form_of(writer, campaign)
    finally:
        writer.close()


def _upload_rest(
    store: Store, ledger: Ledger, expected: Expected, writer: Writer, lost: Collection[str]
) -> None:
    """Upload the files of what was not recorded to its end or lacks some, and what a campaign's end adds."""
    if expected.live:
        return
    campaign = expected.projection.campaign
    winners = ledger.trials_named([row.winner for row in expected.searches if row.winner is not None])
    added = final_files(store.folder / "work" / campaign.id, campaign, expected.searches, winners)
    for runs in expected.runs({*expected.unrecorded(), *lost}):
        for run in runs:
            writer.upload(run.uid, [*run.artifacts, *added.get(run.identity, ())])


def _audit_of(expected: Expected, found: Comparison) -> Audit:
    identities = [run.identity for run in (*found.runs.values(), *found.extra)]
    return Audit(
        trials=len(expected.trials),
        runs=sum(identity.count("/") == 3 for identity in identities),
        missing=found.missing,
        duplicate=sorted({run.identity for run in found.extra}),
        stuck=[identity for identity, fault in found.wrong.items() if fault == "stuck"],
        different=[identity for identity, fault in found.wrong.items() if fault == "different"],
        earlier=expected.projection.form.earlier,
        files=[f"{identity}: {name}" for identity, names in found.lost.items() for name in names],
    )


def _correct(expected: Expected, comparison: Comparison, writer: Writer, *, renew: bool) -> None:
    for run in comparison.extra:
        writer.delete(run.run_id)
    if renew:
        for identity in comparison.wrong:
            writer.delete(comparison.runs[identity].run_id)
    for runs in expected.runs({*comparison.missing, *comparison.wrong}):
        writer.write(runs)
        for wanted in runs:
            writer.upload(wanted.uid, wanted.artifacts)

"""Models of retrainings that are to be scored: found before the test set is opened, or trained again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl import plugins
from automl.campaign.openings import Unopened
from automl.contracts import Evaluator, RunError
from automl.executors.process import HOST
from automl.files import MODEL, LostFileError, StorageError, part_of
from automl.ledger import Ledger, TrialRow
from automl.progress import Progress


@dataclass
class Models:
    """Sees to it that every model that has to be scored can be read.

    One that is lost is trained again, once in a run. `storage`: trials bring their files to a storage now.
    """

    ledger: Ledger
    progress: Progress
    storage: bool
    again: bool = False

    def lose(self, waiting: Sequence[Unopened]) -> bool:
        """Whether some models are lost, so that their retrainings, now noted as lost, are to be made again.

        Raises `RunError` when a storage stays away, when the models are on machines that share nothing with
        this one, and when they were trained again in vain. No test set has been opened then.
        """
        lost = [found for one in waiting if _has_models(one) for found in _lost(one)]
        if not lost:
            return False
        far = [row for row, _ in lost if row.storage is None and row.host not in (HOST, None)]
        if far and not self.storage:
            raise RunError(_far(far))
        row, why = lost[0]
        if self.again:
            raise RunError(
                f"the model of {row.id} must be read to be tested, but {why}; it had just been trained "
                "again; no test set was opened; see that the storage keeps what it gets, then run the same "
                "command"
            )
        for row, why in lost:
            self.ledger.note_lost(row.id, why)
            self.progress.message(
                f"the model of {row.id} cannot be read any more ({why}): it is trained again"
            )
        self.again = True
        return True


def _has_models(one: Unopened) -> bool:
    """Whether it is scored by models: benchmarks and evaluators without `score` have none."""
    evaluator = plugins.build("evaluators", one.search.final_evaluator)
    return not evaluator.simulated and type(evaluator).score is not Evaluator.score


def _lost(one: Unopened) -> list[tuple[TrialRow, str]]:
    """Those whose models cannot be read, and why not. What can is in this node's cache now."""
    found = []
    for row in one.unscored:
        try:
            with part_of(row, MODEL):
                pass
        except StorageError as error:
            raise RunError(
                f"the model of {row.id} must be read to be tested, but {error}; no test set was opened, and "
                "nothing is lost; run the same command again when the storage is back"
            ) from None
        except LostFileError as error:
            found.append((row, str(error)))
    return found


def _far(rows: Sequence[TrialRow]) -> str:
    hosts = ", ".join(sorted({row.host or "" for row in rows}))
    return (
        f"{len(rows)} models must be read here to be tested, but they are on {hosts}, in folders that this "
        f"machine ({HOST}) does not share ({rows[0].workdir}); no test set was opened, and all trials are "
        "safe; set AUTOML_STORAGE to what all machines reach (a shared folder, s3://bucket/…) and run the "
        "same command: it trains those again and goes on"
    )

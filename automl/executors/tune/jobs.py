"""Drivers as jobs of a cluster: its head starts them, keeps their output, and stops them (Ray's job API)."""

from __future__ import annotations

import logging
import os
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from automl.contracts import Luggage, RunError, UserError
from automl.executors.tune import packing

LOOK: Final = 1.0  # seconds between two looks at a job's output
ENDED: Final = ("SUCCEEDED", "FAILED", "STOPPED")
NAMED: Final = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")  # which Ray prefers to an address that it is given


class Jobs:
    """The jobs of the cluster whose head answers at `address`, such as http://head:8265.

    Raises `UserError` when it does not, or not to this token.
    """

    def __init__(self, address: str) -> None:
        from ray.exceptions import RayError  # it takes a second
        from ray.job_submission import JobSubmissionClient

        logging.getLogger("ray").setLevel(logging.ERROR)
        if not address.startswith(("http://", "https://")):
            raise UserError(f"--address must read http://HEAD:8265, but got {address!r}; name the head so")
        kept = {name: os.environ.pop(name) for name in NAMED if name in os.environ}
        try:
            self._client: Any = JobSubmissionClient(address)
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            raise UserError(_refusal(address, error)) from error
        finally:
            os.environ.update(kept)

    def submit(self, name: str, luggage: Luggage, study: Path, words: Sequence[str]) -> str:
        """Start a driver of a study file with more words of `automl run`; the job's number.

        Code and data travel as to every node (`packing`). Raises `UserError` when they cannot.
        """
        with tempfile.TemporaryDirectory(prefix="automl-luggage-") as scratch:
            archive = Path(scratch) / "luggage.zip"
            packed = packing.pack(luggage, archive, packing.working_folder())
            place = packed.place(study.resolve())
            if place is None:
                raise UserError(f"a study file must lie in its study's folder, but {study} does not; move it")
            command = ["python", "-m", "automl.cli.submitted", place, *words]
            job = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"
            return str(
                self._client.submit_job(
                    entrypoint=shlex.join(command),
                    submission_id=job,
                    runtime_env={"working_dir": str(archive)},
                    metadata={"study": name},
                )
            )

    def output(self, job: str) -> Iterator[str]:
        """What a job writes, piece by piece, until it has ended. Raises `RunError` when it failed."""
        seen = 0
        while True:
            state = self.state(job)  # first: what it wrote before it ended is then there
            text = self._client.get_job_logs(job)
            yield text[seen:]
            seen = len(text)
            if state in ENDED:
                break
            time.sleep(LOOK)
        if state == "FAILED":
            raise RunError(f"the job {job} failed; finished trials are safe; submit the study again to go on")

    def state(self, job: str) -> str:
        """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED. Raises `UserError` for an unknown job."""
        try:
            return str(self._client.get_job_status(job).value)
        except RuntimeError as error:
            known = ", ".join(sorted(str(one.submission_id) for one in self._client.list_jobs())) or "none"
            raise UserError(
                f"a job must be one of the cluster, but got {job!r}; there are: {known}"
            ) from error

    def stop(self, job: str) -> bool:
        """Ask a job to end, as by Ctrl-C; False when it has ended already."""
        return self.state(job) not in ENDED and bool(self._client.stop_job(job))


def _refusal(address: str, error: Exception) -> str:
    rule = f"--address must name the dashboard of a cluster's head, but got {address!r}"
    if "authentic" in str(error).lower():
        return f"{rule}, which wants another token; set RAY_AUTH_MODE=token and the cluster's RAY_AUTH_TOKEN"
    return (
        f"{rule}, which does not answer ({str(error).splitlines()[0][:200]}); on the head: pip install "
        "'automl-orchestrator[submit]', and ray start --head with --dashboard-host=ITS-ADDRESS"
    )

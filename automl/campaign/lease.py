"""One driver for a campaign: a heartbeat while it runs, and an end that lets it be continued."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from automl.contracts import RunError
from automl.ledger import Ledger, as_interrupts, owner_identity

HEARTBEAT = 2.0  # seconds


class Lease:
    """Renews the claim of this process on a campaign, in a separate thread."""

    def __init__(self, ledger: Ledger, campaign: str, began: float) -> None:
        self.ledger, self.campaign = ledger, campaign
        self.token = ledger.acquire(campaign, owner_identity(), began=time.monotonic() - began)
        self._lost = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise `RunError` when another process has taken the campaign over."""
        if self._lost.is_set():
            raise RunError(
                f"another process has taken over {self.campaign}; finished trials are safe, "
                "nothing was written twice; let that process continue"
            )

    def release(self) -> None:
        """End the thread and release the campaign; an unfinished one can be continued at once."""
        self._done.set()
        self._thread.join()
        self.ledger.release(self.campaign, self.token)

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT):
            try:
                if not self.ledger.heartbeat(self.campaign, self.token):
                    self._lost.set()
                    return
            except RunError:
                continue  # the store cannot be reached: the trials will fail by that too, or it comes back


@contextmanager
def held(ledger: Ledger, campaign: str, began: float) -> Iterator[Lease]:
    """Drive a campaign inside the block, for which this process has worked since the monotonic time `began`.

    SIGTERM ends it as Ctrl-C does. Both wait for the end of a transaction. Raises `RunError` while another
    living process drives it.
    """
    lease = Lease(ledger, campaign, began)
    try:
        with as_interrupts():
            yield lease
    finally:
        lease.release()

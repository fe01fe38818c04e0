"""Trials that may be what kills their drivers."""

from __future__ import annotations

from itertools import takewhile

from automl.contracts import Ending
from automl.ledger import Ledger
from automl.progress import Progress

SUSPICIOUS = 3  # ends with its driver in a row


def tell_of_kills(ledger: Ledger, campaign: str, progress: Progress) -> None:
    """Name the trials that were open at each of the last deaths of their driver: they may be the cause."""
    for trial, attempts in ledger.attempts(campaign, running=True).items():
        in_a_row = list(takewhile(lambda a: a.ending is Ending.PREEMPTED, reversed(attempts)))
        if len(in_a_row) >= SUSPICIOUS:
            progress.message(
                f"{trial} ran at each of the last {len(in_a_row)} times that its driver or machine was "
                "killed or stopped; if it is what kills them, `retry: {preempted: 3}` gives it up"
            )

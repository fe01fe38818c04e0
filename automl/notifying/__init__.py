"""Tells people and programs what becomes of a campaign: what is told, to whom, and how it gets there.

A message is written into the ledger before it is sent, and settled after: a process that is killed between
the two leaves it owed, and whoever continues sends it again with the same id. So each message comes at least
once, unless its target fails for a minute, which is told and noted. It never fails a campaign.
"""

from automl.notifying.announcer import Announcer, announcer_of
from automl.notifying.delivery import Targets, announce, check_targets, deliver
from automl.notifying.message import Message

__all__ = [
    "Announcer",
    "Message",
    "Targets",
    "announce",
    "announcer_of",
    "check_targets",
    "deliver",
]

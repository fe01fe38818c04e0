"""The progress of a running campaign: live on a terminal, a line every ten seconds elsewhere, or events."""

from automl.progress.shown import LINE_EVERY, LiveProgress, LogProgress, progress_for
from automl.progress.status import CampaignStatus, Progress, QuietProgress, SearchStatus

__all__ = [
    "LINE_EVERY",
    "CampaignStatus",
    "LiveProgress",
    "LogProgress",
    "Progress",
    "QuietProgress",
    "SearchStatus",
    "progress_for",
]

"""The campaigns that are driven now, as `automl queue` shows them; priorities and quotas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from automl.contracts import UserError
from automl.ledger import PERIODS, Ledger, Queued, Quota, Usage
from automl.upkeep.asking import user

HOUR = 3600.0  # seconds


@dataclass(frozen=True)
class Line:
    """One campaign. `state`: running, waiting (for a slot, or for its quota) or paused.

    `slots` that its trials hold, `share` that it may hold; None for one that shares no place. Times are POSIX
    seconds; `ends_at` is that of its searches, None where it cannot be said.
    """

    campaign: str
    study: str
    user: str | None
    host: str
    state: str
    place: str | None
    priority: int | None
    slots: int | None
    share: int | None
    trials: int
    device_seconds: float
    driven_since: float
    waits_since: float | None
    waits_for: str | None
    ends_at: float | None


def lines(ledger: Ledger) -> list[Line]:
    """All campaigns that have a driver, by place, the largest priority first."""
    found = [_line(ledger, one) for one in ledger.queue()]
    return sorted(found, key=lambda one: (one.place or "", -(one.priority or 0), one.driven_since))


def _line(ledger: Ledger, one: Queued) -> Line:
    row, share = one.campaign, one.share
    paused = ledger.wishes(row.id).pause is not None
    waits = share is not None and share.waits_since is not None
    return Line(
        campaign=row.id,
        study=row.study,
        user=row.begun_by,
        host=(row.owner or "").rsplit(":", 2)[0].rpartition("-")[0],
        state="paused" if paused else "waiting" if waits else "running",
        place=None if share is None else share.place,
        priority=None if share is None else share.weight,
        slots=None if share is None else share.held,
        share=None if share is None else share.granted,
        trials=one.ended,
        device_seconds=one.device_seconds + (0.0 if share is None else share.open_seconds),
        driven_since=one.drive.started_at,
        waits_since=None if share is None else share.waits_since,
        waits_for=None if share is None or not waits else share.waits_for or "a slot",
        ends_at=None if share is None or paused else share.ends_at,
    )


def moment(seconds: float | None) -> str:
    """POSIX seconds as a time of day, with the date where that is another day; a dash for none."""
    if seconds is None:
        return "–"
    found = datetime.fromtimestamp(seconds, UTC)
    same = found.date() == datetime.now(UTC).date()
    return found.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M")


def check_quota(study: str | None, owner: str | None, period: str) -> tuple[str, str]:
    """The kind and the name of a quota. Raises `UserError` unless one is named, and a known period."""
    if (study is None) == (owner is None):
        raise UserError("a quota must be of a study or of a user; write --study NAME or --user NAME")
    if period not in PERIODS:
        raise UserError(f"--per must be one of {', '.join(PERIODS)}, but got {period!r}; write one of those")
    return ("study", study) if study is not None else ("user", owner or "")


def set_quota(ledger: Ledger, kind: str, name: str, period: str, hours: float) -> Quota:
    """Set a quota in device-hours. Raises `UserError` for a negative one."""
    if not 0 <= hours < 1e6:
        raise UserError(
            f"a quota must be from 0 to a million device-hours, but got {hours:g}; write such as 10"
        )
    return ledger.set_quota(kind, name, period, hours * HOUR, user())


def used(usage: Usage) -> str:
    """What is used of a quota, in words."""
    quota = usage.quota
    return (
        f"{quota.kind} {quota.name}: {usage.used / HOUR:.3g} of {quota.device_seconds / HOUR:g} device-hours "
        f"{PERIODS[quota.period]} used; {usage.anew}; set by {quota.by}"
    )

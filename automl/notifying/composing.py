"""What is told of a campaign: its end, a regression, a collapse, a failure, a promotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from automl.contracts import Json
from automl.notifying.message import Message, message_id
from automl.report import CampaignReport, nothing_found
from automl.report.collapse import OneShotSearch
from automl.report.wording import plural, seconds

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow, TrialRow
from automl.ledger.schedule_rows import FiringRow


def ended(
    report: CampaignReport,
    row: CampaignRow,
    trials: Sequence[TrialRow],
    elapsed: float,
    link: str,
) -> list[Message]:
    """The end of a campaign, and that it got worse where it did. One that found nothing has failed.

    `elapsed`: seconds in which it had a driver.
    """
    nothing = None if row.was_stopped else nothing_found(report)
    event = "end" if nothing is None else "failure"
    sentence = _verdict(report) if nothing is None else f"it found nothing: {nothing}"
    cost = sum(trial.device_seconds for trial in trials)
    facts: Json = {
        "metric": report.metric.name,
        "direction": report.metric.direction.value,
        "best": _best(report),
        "verdicts": [verdict.sentence for verdict in report.comparison.verdicts],
        "last": None if report.last is None else _last(report),
        "elapsed_seconds": round(elapsed, 3),
        "device_seconds": round(cost, 3),
        "trials": len(trials),
        "reason": report.reason,
        "command": f"automl report {row.id}",
    }
    lines = [
        *_best_lines(report),
        *([f"ended early: {report.reason}"] if report.reason else []),
        *([f"against the last campaign: {report.last.sentence}"] if report.last else []),
        f"took {seconds(elapsed)}, used {seconds(cost)} of devices in {plural(len(trials), 'trial')}",
    ]
    messages = [_message(row, event, row.finished_at, sentence, lines, facts, link)]
    if report.last is not None and report.last.answer == "worse":
        worse = report.last.sentence
        messages.append(_message(row, "regression", row.finished_at, worse, _best_lines(report), facts, link))
    return messages


def collapsed(row: CampaignRow, search: OneShotSearch, link: str) -> Message:
    """The alarm of a one-shot search."""
    facts: Json = {"arm": search.arm, "seed": search.seed, "trial": search.trial, "epoch": search.epoch}
    sentence = f"{search.arm}, seed {search.seed}: {search.sentence}"
    return _message(row, "collapse", search.trial, sentence, (), facts, link)


def failed(row: CampaignRow, token: int, error: BaseException, link: str) -> Message:
    """An error that ended a driver of a campaign; `token` of that driver."""
    text = str(error).partition("\n")[0][:1000]
    sentence = f"it was ended by an error: {text or type(error).__name__}"
    advice = "finished trials are safe; run the study again to continue"
    return _message(row, "failure", token, sentence, [advice], {"error": type(error).__name__}, link)


def promoted(row: CampaignRow, key: str, sentence: str, facts: Json, link: str) -> Message:
    """A decision about a champion. `key`: what makes this decision one, such as the version of the model."""
    return _message(row, "promotion", key, sentence, (), facts, link)


def firing_failed(firing: FiringRow, reason: str) -> Message:
    """A planned start that came to nothing."""
    lines = ["see it with: automl schedule list"]
    return Message(
        id=message_id("firing", firing.study, firing.id, firing.slot),
        event="failure",
        study=firing.study,
        campaign=firing.campaign,
        sentence=f"a scheduled start has failed: {reason}",
        lines=tuple(lines),
        facts={"firing": firing.id, "slot": firing.slot, "reason": reason},
    )


def trial_message(study: str) -> Message:
    """What `automl notify test` sends."""
    message = Message(
        id="", event="test", study=study, campaign=None, sentence="this target can be told of its campaigns"
    )
    return Message(**{**vars(message), "id": message_id("test", study, message.at)})


def _message(
    row: CampaignRow,
    event: str,
    key: object,
    sentence: str,
    lines: Sequence[str],
    facts: Json,
    link: str,
) -> Message:
    return Message(
        id=message_id(repr(row.created_at), row.id, event, key),
        event=event,
        study=row.study,
        campaign=row.id,
        sentence=sentence,
        lines=tuple(lines),
        facts=facts,
        link=link or f"automl report {row.id}",
    )


def _verdict(report: CampaignReport) -> str:
    """The verdict on the best arm that has one; of arms that are better the first counts."""
    order = {name: place for place, name in enumerate(report.comparison.ranking)}
    verdicts = sorted(report.comparison.verdicts, key=lambda one: order.get(one.arm, len(order)))
    better = [one for one in verdicts if one.verdict == "better"]
    found = (better or verdicts)[:1]
    return found[0].sentence if found else "there is no second arm to compare with"


def _best(report: CampaignReport) -> Json | None:
    chosen = report.chosen
    if chosen is None:
        return None
    return {
        "arm": chosen.arm,
        "seed": chosen.search.seed,
        "trial": chosen.best.trial,
        "value": chosen.value,
        "rule": chosen.rule,
    }


def _best_lines(report: CampaignReport) -> list[str]:
    chosen, units = report.chosen, report.units
    if chosen is None:
        return []
    value = f"{units.value(chosen.value)}{f' {units.unit}' if units.unit else ''}"
    return [f"best {report.metric.name}: {value} by {chosen.arm} ({chosen.best.trial}; {chosen.rule})"]


def _last(report: CampaignReport) -> Json:
    last = report.last
    return (
        {} if last is None else {"campaign": last.against, "answer": last.answer, "sentence": last.sentence}
    )

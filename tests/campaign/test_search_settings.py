"""Jobs as a search's settings make them: who evaluates, by which protocol, how long, at which cost."""

from __future__ import annotations

import json
from dataclasses import replace

from search_examples import ATTEMPT, settings

from automl.contracts import Job, PluginSpec, Replay


def test_a_trial_is_evaluated_by_its_arm() -> None:
    job = settings().trial_job(ATTEMPT, 12.5)
    assert (job.trial, job.token, job.attempt) == ("s-1/arm/0/3", "token", 2)
    assert (job.evaluator.name, job.protocol.name) == ("supernet", "network")
    assert (job.config, job.seed, job.remaining, job.deadline, job.final) == (
        {"x": 0.5},
        7,
        12.5,
        60.0,
        False,
    )
    assert job.metrics == [{"name": "loss", "direction": "minimize"}]
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_an_attempt_that_is_alone_on_its_gpu_pays_for_all_of_it() -> None:
    shared = settings(gpus=0.25)
    assert shared.shares_gpu and not settings().shares_gpu and not settings(gpus=2.0).shares_gpu
    job, alone = (shared.trial_job(replace(ATTEMPT, alone=alone), 1.0) for alone in (False, True))
    assert (job.devices, job.alone, job.gpus) == (0.25, False, 0.25)
    assert (alone.devices, alone.alone, alone.gpus) == (1.0, True, 0.25)


def test_an_evaluator_that_the_proposal_names_works_by_the_arms_own() -> None:
    named = PluginSpec("proxy_score", {"proxy": "synflow"})
    job = settings().trial_job(ATTEMPT, None, named)
    assert (job.evaluator, job.protocol.name, job.remaining) == (named, "supernet", None)


def test_a_derived_winner_is_retrained_by_the_protocol_another_by_its_arm() -> None:
    derived = settings().final_job(ATTEMPT, derived=True)
    assert (derived.evaluator.name, derived.deadline) == ("network", 90.0)
    plain = settings().final_job(ATTEMPT, derived=False)
    assert (plain.evaluator.name, plain.deadline) == ("supernet", 60.0)
    assert derived.final and plain.final
    assert derived.remaining is plain.remaining is None, "retrainings are not paid from the search's budget"


def test_a_replay_has_the_whole_budget() -> None:
    replay = Replay(PluginSpec("random"), PluginSpec("none"), 0, 100.0, None, 2)
    job = settings().replay_job(ATTEMPT, replay)
    assert (job.replay, job.remaining) == (replay, 100.0)
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_a_job_of_an_earlier_version_is_read() -> None:
    written = {**settings().trial_job(ATTEMPT, None).to_json()}
    del written["replay"]
    assert Job.from_json(written).replay is None


def test_gpus_are_the_devices_where_there_are_any() -> None:
    assert settings().devices == 2.0
    assert settings(gpus=0.5).devices == 0.5

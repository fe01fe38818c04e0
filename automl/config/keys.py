"""What each key of a study file means, with an example: for the JSON Schema and the reference in the docs."""

from __future__ import annotations

from automl.config.after_keys import AFTER_KEYS
from automl.config.amounts import Budget, Limits
from automl.config.study import (
    Arm,
    Final,
    Memory,
    Retry,
    SpaceSpec,
    Study,
    Trial,
)
from automl.config.task_keys import TASK_KEYS, Key
from automl.contracts import Options

KEYS: dict[type[Options], dict[str, Key]] = {
    Study: {
        "name": Key("Name of the study; its campaigns are called NAME-1, NAME-2, ….", "nas-digits"),
        "task": Key("What is to be learned: data and metric.", {"dataset": "digits", "metric": "accuracy"}),
        "constraints": Key(
            "Bounds of metrics, at most or at least by their direction: what breaks one wins nothing.",
            {"parameters": "2M", "latency": "5ms"},
        ),
        "space": Key("The search space: a name, or a name with restrictions.", "nasbench201"),
        "evaluator": Key(
            "How the value of a configuration is measured: one name, with its options.",
            {"network": {"epochs": 8}},
        ),
        "budget": Key(
            "What each search may use, at least one of the keys; the first that is used up ends the search.",
            {"device_seconds": 120},
        ),
        "limits": Key(
            "What the whole campaign may use, queueing, retrainings and retries included. The first limit "
            "that is reached ends the campaign, with its report; by default there is none.",
            {"wall_seconds": 3600},
        ),
        "trial": Key("What one trial may use.", {"memory": "4GiB", "share": 0.7}),
        "retry": Key(
            "How often a trial is tried again, from its checkpoint, by the class of its end. Other ends, "
            "such as a bug or a deadline, are final.",
            {"transient": 2, "lost": 3},
        ),
        "seeds": Key(
            "One search runs per arm and seed: a list, n for 0 … n-1 (by default 3), `{exactly: n}` to take "
            "verdicts at n alone, or `{until: decided, at_least: 3, at_most: 20}` to add what it takes.",
            3,
        ),
        "arms": Key(
            "The methods to compare, by name. The arm `random` is added when it is missing.",
            {"tpe": {"strategy": "tpe", "pruner": "asha"}},
        ),
        "baseline": Key(
            "`false` leaves the arm `random` out: nothing then shows that the other arms are better than "
            "random search at equal cost, and the report says so.",
            False,
        ),
        "equivalent": Key(
            "Arms that differ by no more than this, in the unit of the primary metric, are equivalent.", 0.002
        ),
        "executor": Key(
            "Where trials run: one name, with its options; by default `local`.",
            {"ray": {"trials_at_once": 2, "cpus": 1}},
        ),
        "final": Key(
            "What follows a search: by default 3 retrainings, or none without a dataset.", {"seeds": 3}
        ),
        "transfer": Key(
            "Other datasets, on which every winner is trained again and scored; by default none. Names and "
            "files stand for `{dataset: …}`.",
            ["wine", {"dataset": "files/beans.csv", "target": "kind"}],
        ),
        "memory": Key(
            "What strategies remember of earlier campaigns; by default nothing. `last`, `all`, or a list of "
            "names stand for `{from: …}`.",
            {"from": "last", "top": 5},
        ),
        "schedule": Key("When the study runs again.", {"cron": "0 2 * * *", "timezone": "Europe/Paris"}),
        "promote": Key(
            "What a winner must be to become the champion of the study: see `automl promote`.",
            {"beats": ["random", "champion"], "test_at_least": 0.9, "automatically": True},
        ),
        "notify": Key(
            "Who is told of what becomes of a campaign: a list of targets. The variables it names must be "
            "set wherever the study runs.",
            [{"url": "${TEAM_CHAT}", "on": ["end", "failure"]}, {"file": "notices.jsonl"}],
        ),
        "priority": Key(
            "The weight of its campaigns where several share machines: `low` (5), `normal` (10), `high` "
            "(20), or an integer from 1 to 100; see `automl queue`.",
            "high",
        ),
        "over_quota": Key(
            "What becomes of a campaign whose quota is used up: `end`, as one that is stopped, or `wait` "
            "until the quota begins anew or is raised.",
            "wait",
        ),
        "record": Key(
            "What becomes an MLflow run: each trial, or each search with its trials as a table.", "trials"
        ),
    },
    **TASK_KEYS,
    SpaceSpec: {
        "name": Key(
            "A search space, a benchmark file (table.npz), or package.module:attribute.", "nasbench201"
        ),
        "fix": Key("Parameters held at one value.", {"edge_0_1": "skip_connect"}),
        "narrow": Key("Smaller ranges: [low, high] for numbers, [options] for choices.", {"depth": [2, 4]}),
        "parameters": Key(
            "A space that the study writes itself, without a name: each parameter with its `type` (`float`, "
            "`int` or `choice`) and its fields.",
            {"lr": {"type": "float", "low": 0.0001, "high": 0.1, "log": True}},
        ),
    },
    Budget: {
        "device_seconds": Key("Wall seconds × devices held, summed over the trials of the search.", 120),
        "trials": Key("Number of trials.", 60),
        "wall_seconds": Key(
            "Seconds on the clock, from the first trial of the search to its last. At most as many searches "
            "run at a time as there are workers.",
            600,
        ),
    },
    Limits: {
        "wall_seconds": Key("Seconds on the clock while the campaign runs, starts of its workers too.", 3600),
        "device_seconds": Key(
            "Wall seconds × devices held, summed over all trials, retrainings and retries.", 7200
        ),
        "trials": Key("Number of trials, retrainings and retries that are started.", 500),
        "reserve": Key(
            "`true` ends searches in time for retrainings and the test; the best comes first.", True
        ),
    },
    Trial: {
        "memory": Key(
            "What a trial may take beyond what its worker holds when it starts; a larger allocation fails, "
            "and the trial ends as out of memory. Memory of GPUs is not counted.",
            "4GiB",
        ),
        "share": Key(
            "The part of the budget of its search that a trial may use before it reports a value, so that a "
            "costly one does not leave the search without a result. 1 for all of it. It does not hold for "
            "arms of one trial.",
            0.7,
        ),
    },
    Retry: {
        "transient": Key(
            "After an error that may pass: of a connection or a file system, a timeout, `TransientError`.", 2
        ),
        "lost": Key("After the death of its worker.", 3),
        "oom": Key("After it ran out of memory.", 0),
        "preempted": Key("After its machine, or the driver of its campaign, was taken away.", 4),
        "backoff": Key(
            "Seconds before the first retry of what may pass; each further one waits twice as long, at most "
            "a minute.",
            1.0,
        ),
    },
    Arm: {
        "strategy": Key("What proposes configurations.", "tpe"),
        "pruner": Key("What ends trials early; by default nothing does.", {"asha": {"reduction": 3}}),
        "evaluator": Key(
            "Another evaluator for this arm, such as a weight-sharing search.",
            {"supernet": {"method": "darts", "order": 2}},
        ),
        "space": Key("Another search space for this arm.", "protonet"),
        "reference": Key(
            "A space whose default configuration is the hand-designed reference; it replaces the strategy.",
            "resnet",
        ),
        "memory": Key("Another memory for this arm; `false` for none.", {"from": ["nas-digits-3"]}),
        "twin": Key(
            "Adds the arm NAME-without-memory with the same budget: the report says what memory gave.",
            True,
        ),
        "cpus": Key("What each of its trials holds, where that is not what the executor gives to all.", 4),
        "gpus": Key(
            "The same of GPUs, a part of one or a whole number. All arms hold GPUs, or none does: one budget "
            "holds for all of them.",
            0.1,
        ),
    },
    Memory: {
        "from": Key(
            "Finished campaigns: the `last` one of this study, `all` on similar data, or names of campaigns "
            "and studies (of which the last one is taken).",
            "last",
        ),
        "top": Key("How many of their best configurations are proposed first.", 5),
    },
    Final: {
        "seeds": Key(
            "Retrainings of each winner with fresh seeds; the test set is opened once for each. 0 for none.",
            3,
        ),
        "top": Key(
            "So many best configurations of each search are evaluated again, `seeds` times each with other "
            "seeds; the one with the best mean of those wins. 1: the best one of the search wins.",
            3,
        ),
        "refit": Key("`true` fits what predicts once more after the test, on all rows; scores stay.", True),
    },
    **AFTER_KEYS,
}

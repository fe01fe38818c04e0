"""What each key of a study file means, with an example: for the JSON Schema and the reference in the docs."""

from __future__ import annotations

from typing import Any, NamedTuple

from automl.config.study import Arm, Budget, Final, Limits, Memory, Retry, Schedule, SpaceSpec, Study, Trial
from automl.contracts import ColumnsSpec, EpisodesSpec, Options, ReadSpec, SplitSpec, TaskSpec


class Key(NamedTuple):
    """The meaning of a key in one or two sentences, and a value as a study file writes it."""

    meaning: str
    example: Any


KEYS: dict[type[Options], dict[str, Key]] = {
    Study: {
        "name": Key("Name of the study; its campaigns are called NAME-1, NAME-2, ….", "nas-digits"),
        "task": Key("What is to be learned: data and metric.", {"dataset": "digits", "metric": "accuracy"}),
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
        "memory": Key(
            "What strategies remember of earlier campaigns; by default nothing. `last`, `all`, or a list of "
            "names stand for `{from: …}`.",
            {"from": "last", "top": 5},
        ),
        "schedule": Key("When the study runs again.", {"cron": "0 2 * * *", "timezone": "Europe/Paris"}),
        "record": Key(
            "What becomes an MLflow run: each trial, or each search with its trials as a table.", "trials"
        ),
    },
    TaskSpec: {
        "dataset": Key(
            "A dataset plug-in, a file (.csv, .tsv, .npz), a folder of images, or package.module:function. "
            "An objective of your own needs none.",
            "digits",
        ),
        "target": Key(
            "The column of a table to predict. It may be left out when exactly one column is called target, "
            "label, class or y.",
            "price",
        ),
        "read": Key("How files are read, where what is found out is not right.", {"separator": ";"}),
        "columns": Key(
            "What columns of a table are, where what is found out is not right.", {"drop": ["id"]}
        ),
        "metric": Key("The metric to search by.", "accuracy"),
        "direction": Key(
            "Whether larger values of `metric` are better; needed for your own metrics.", "minimize"
        ),
        "metrics": Key(
            "Several metrics instead of `metric`: a list of known ones, or name: direction. "
            "The first one is the primary metric.",
            ["accuracy", "parameters"],
        ),
        "split": Key("How the data are divided.", {"validation": 0.2, "test": 0.2, "seed": 0}),
        "episodes": Key("Makes the task few-shot.", {"ways": 5, "shots": 1}),
    },
    SplitSpec: {
        "validation": Key("Part of the data that selects configurations.", 0.2),
        "test": Key("Part of the data that stays sealed until the search has ended; 0 for none.", 0.2),
        "seed": Key("Seed of the random split.", 0),
        "group": Key(
            "Column of a table, no feature: rows with one value of it stay in one part, and in one fold.",
            "patient",
        ),
        "time": Key(
            "Column of a table, no feature: the last rows by it are the test part, those before them select.",
            "date",
        ),
        "rare": Key(
            "What happens to classes with too few rows for every part: `refuse`, `drop` their rows, or "
            "`merge` them into one class.",
            "merge",
        ),
    },
    ReadSpec: {
        "separator": Key("Table: the character between fields; `whitespace` for any number of blanks.", ";"),
        "decimal": Key("Table: the decimal sign of numbers.", ","),
        "thousands": Key("Table: the sign between groups of three digits; empty for none.", "."),
        "encoding": Key("Table: the encoding of the text.", "cp1252"),
        "quote": Key("Table: the character around fields; empty for none.", "'"),
        "header": Key("Table: whether the first row holds the names of the columns.", False),
        "missing": Key("Table: texts that stand for no value, besides empty cells.", ["?", "-999"]),
        "alpha": Key(
            "Images: transparency is blended with white (`composite`) or kept as a channel (`keep`).", "keep"
        ),
        "size": Key("Images: all are resized to this height and width.", [32, 32]),
        "layout": Key(
            "Arrays: where the channels are: `channels_first` or `channels_last`.", "channels_last"
        ),
    },
    ColumnsSpec: {
        "drop": Key("Columns that are no features.", ["id"]),
        "keep": Key("Columns that are features, although a rule would drop or refuse them.", ["day"]),
        "categorical": Key("Columns of categories, also where they look like numbers.", ["zip"]),
        "date": Key("Columns of dates, with the format where it is not found out.", {"when": "%d.%m.%Y"}),
    },
    EpisodesSpec: {
        "ways": Key("Classes of an episode; leave it out for regression.", 5),
        "shots": Key("Support examples of each class (of each function in regression).", 1),
        "queries": Key("Query examples of each class (of each function in regression).", 15),
        "count": Key("Fixed episodes by which every configuration is selected and tested.", 600),
        "rotations": Key("Whether each class turned by 90, 180 and 270 degrees is another class.", True),
        "more_shots": Key("Further numbers of shots at which the test is taken too.", [5]),
    },
    SpaceSpec: {
        "name": Key(
            "A search space, a benchmark file (table.npz), or package.module:attribute.", "nasbench201"
        ),
        "fix": Key("Parameters held at one value.", {"edge_0_1": "skip_connect"}),
        "narrow": Key("Smaller ranges: [low, high] for numbers, [options] for choices.", {"depth": [2, 4]}),
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
        "wall_seconds": Key(
            "Seconds on the clock while the campaign is run, the start of its workers included.", 3600
        ),
        "device_seconds": Key(
            "Wall seconds × devices held, summed over all trials, retrainings and retries.", 7200
        ),
        "trials": Key("Number of trials, retrainings and retries that are started.", 500),
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
    },
    Schedule: {
        "cron": Key("Five cron fields: minute, hour, day of month, month, day of week.", "0 2 * * *"),
        "timezone": Key("The time zone of `cron`.", "Europe/Paris"),
        "catchup": Key("Seconds after its time within which a missed campaign may still start.", 3600),
        "when": Key(
            "`always`, or only when the study, its code or its data have `changed` since its last finished "
            "campaign.",
            "changed",
        ),
    },
}

"""What each key of a study file's `task` means, with an example."""

from __future__ import annotations

from typing import Any, NamedTuple

from automl.config.transfer import Transfer
from automl.contracts import Bounds, ColumnsSpec, EpisodesSpec, Options, ReadSpec, SplitSpec, TaskSpec


class Key(NamedTuple):
    """The meaning of a key in one or two sentences, and a value as a study file writes it."""

    meaning: str
    example: Any


TASK_KEYS: dict[type[Options], dict[str, Key]] = {
    TaskSpec: {
        "dataset": Key(
            "A dataset plug-in, a file (.csv, .parquet, .xlsx, .npz, …), a folder of images, the address of "
            "a database as SQLAlchemy writes it, or package.module:function. An objective of your own needs "
            "none.",
            "digits",
        ),
        "target": Key(
            "The column of a table to predict. It may be left out when exactly one column is called target, "
            "label, class or y.",
            "price",
        ),
        "test": Key(
            "The file of a table that is the sealed test set, with the columns and the target of `dataset`; "
            "by default a part of `dataset` is.",
            "held_out.csv",
        ),
        "read": Key("How files are read, where what is found out is not right.", {"separator": ";"}),
        "columns": Key(
            "What columns of a table are, where what is found out is not right.", {"drop": ["id"]}
        ),
        "weights": Key(
            "Column of a table, no feature: how much each row counts when models are fitted, at least 0. "
            "Scores count all rows alike.",
            "weight",
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
        "sheet": Key("The sheet of an Excel file; by default the first one.", "2024"),
        "query": Key(
            "What is read of a database that `dataset` names by its address. It must end with `ORDER BY`.",
            "SELECT * FROM houses ORDER BY id",
        ),
        "layout": Key(
            "Arrays: where the channels are: `channels_first` or `channels_last`.", "channels_last"
        ),
    },
    Transfer: {
        "name": Key("How reports call the dataset; by default its own name, without folders.", "beans"),
        "dataset": Key("As in `task`.", "files/beans.csv"),
        "target": Key("As in `task`.", "kind"),
        "read": Key("As in `task`.", {"separator": ";"}),
        "columns": Key("As in `task`.", {"drop": ["id"]}),
        "split": Key(
            "As in `task`; by default the study's own, without columns that it names.", {"test": 0.3}
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
    Bounds: {
        "at_most": Key("The largest value that is allowed; units as in `2M`, `5ms`, `4MiB`.", "5ms"),
        "at_least": Key("The smallest value that is allowed.", 0.8),
    },
}

"""What each key of a study file means that says what follows a campaign, or who is told, with an example."""

from __future__ import annotations

from automl.config.promotion import Promote
from automl.config.schedule import Schedule
from automl.config.target import Target
from automl.config.task_keys import Key
from automl.contracts import Options

AFTER_KEYS: dict[type[Options], dict[str, Key]] = {
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
    Promote: {
        "beats": Key(
            "Arms of the campaign that the winner's arm must be better than, and `champion`: the model that "
            "has that alias now, on the same data.",
            ["random", "champion"],
        ),
        "test_at_least": Key(
            "The mean of the winner's test values must be at least as good (at most, to be minimized).", 0.9
        ),
        "fresh_at_least": Key("The same of its fresh-seed retrainings on validation data.", 0.9),
        "seeds_at_least": Key("Searches of the winner's arm that found something.", 3),
        "size_at_most": Key("Parameters of the winner's model: a number, 500K or 5M.", 5_000_000),
        "automatically": Key(
            "Whether a campaign that has ended goes through the gate by itself; else the end of the campaign "
            "tells that it can be promoted.",
            True,
        ),
    },
    Target: {
        "on": Key("The events that it is told of; by default all of them.", ["end", "failure"]),
        "url": Key(
            "The address of a service as Apprise writes it, always the name of an environment variable: most "
            "addresses hold a key.",
            "${TEAM_CHAT}",
        ),
        "url_from": Key("The same without the signs around it: the name of the variable.", "TEAM_CHAT"),
        "command": Key(
            "A program with its arguments, which gets the message on standard input. No shell reads them.",
            ["./tell.sh", "--quiet"],
        ),
        "format": Key("What a program gets: the message as `text` or as one `json` object.", "json"),
        "file": Key("A file to which each message is appended as a line of JSON.", "notices.jsonl"),
        "timeout": Key("Seconds that one try may take.", 10),
    },
}

"""A message: what became of a campaign, as text for people and as one JSON object for programs."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from automl.config.document import printable
from automl.contracts import Json
from automl.masking import mask

VERSION: Final = 1  # of the JSON; new keys do not change it
LONGEST: Final = 8000  # characters of the text
WORDS: Final[Mapping[str, str]] = {
    "end": "has ended",
    "failure": "has failed",
    "regression": "is a regression",
    "promotion": "promotion",
    "collapse": "collapse alarm",
    "test": "a test message",
}
SAME: Final = "a message may come twice, after a kill: then with the same id"


@dataclass(frozen=True, kw_only=True)
class Message:
    """`sentence`: the verdict, or what happened. `lines`: best value, comparison, cost, where to look.

    `id` names what happened: the same for every target, and when it is sent again. `facts`: plain JSON.
    `at`: POSIX seconds.
    """

    id: str
    event: str
    study: str
    campaign: str | None
    sentence: str
    lines: tuple[str, ...] = ()
    facts: Json = field(default_factory=dict)
    link: str = ""
    at: float = field(default_factory=time.time)

    @property
    def title(self) -> str:
        """One line that says what it is about."""
        return f"{self.campaign or self.study}: {WORDS[self.event]}"

    def text(self) -> str:
        """The message for people."""
        lines = [self.sentence, *self.lines, *([self.link] if self.link else []), f"id: {self.id}"]
        body = "\n".join(lines)
        return body if len(body) <= LONGEST else f"{body[:LONGEST]}…\nid: {self.id}"

    def to_json(self) -> Json:
        """The message for programs."""
        return {"version": VERSION, **asdict(self), "lines": list(self.lines), "title": self.title}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Message:
        """The message that `to_json` wrote."""
        values = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        return cls(**{**values, "lines": tuple(values.get("lines") or ())})  # type: ignore[arg-type, arg-type]


def message_id(*what: object) -> str:
    """The id of what happened: 16 hex digits, always the same for the same."""
    return hashlib.sha256("\n".join(map(str, what)).encode()).hexdigest()[:16]


def masked(message: Message) -> Message:
    """The same without secrets, each text on one line."""
    plain = mask({**asdict(message), "lines": list(message.lines)})
    plain["sentence"] = printable(plain["sentence"])
    plain["lines"] = [printable(line) for line in plain["lines"]]
    return Message.from_json(plain)

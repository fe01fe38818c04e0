"""An entry of the key `notify` of a study file: who is told of which events."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pydantic import Field

from automl.config.part import Part

Event: TypeAlias = Literal["end", "failure", "regression", "promotion", "collapse"]
EVENTS: tuple[Event, ...] = get_args(Event)


class Target(Part):
    """Who is told of which events, by exactly one of `url_from`, `command` and `file`.

    `url_from`: the environment variable that holds an address of Apprise. `format`: what `command` gets on
    standard input. `timeout`: seconds of one try.
    """

    on: list[Event] = Field(default=list(EVENTS), min_length=1, description=f"write [{', '.join(EVENTS)}]")
    url_from: str | None = Field(default=None, description="write the name of an environment variable")
    command: list[str] | None = Field(default=None, description="write [program, argument, …]")
    format: Literal["text", "json"] = Field(default="text", description="write text or json")
    file: str | None = Field(default=None, description="write the path of a file")
    timeout: float = Field(default=10.0, gt=0, le=60, description="write seconds up to 60, such as 10")

    @property
    def label(self) -> str:
        """What it is called in the ledger and in messages: nothing of it is secret."""
        if self.url_from is not None:
            return f"${self.url_from}"
        if self.file is not None:
            return f"file {self.file}"
        return f"command {' '.join(self.command or ())}"

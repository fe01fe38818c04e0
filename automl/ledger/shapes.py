"""The parts of a study and of a provenance that are read from the ledger, as JSON of any version has them.

What is absent or not named here is left alone: earlier versions wrote less, and plug-ins have options of
their own.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from automl.ledger.rules import Rule


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Plugin(_Part):
    name: str
    options: dict[str, Any] = {}


class _Metric(_Part):
    name: str
    direction: Literal["maximize", "minimize"]


class _Episodes(_Part):
    count: int | None = None
    more_shots: list[int] | None = None


class _Task(_Part):
    dataset: str | None = None
    metrics: list[_Metric] = []
    episodes: _Episodes | None = None


class _Arm(_Part):
    strategy: _Plugin | str | None = None
    pruner: _Plugin | str | None = None
    evaluator: _Plugin | str | None = None
    reference: str | None = None


class _Study(_Part):
    name: str = ""
    task: _Task | None = None
    evaluator: _Plugin | str | None = None
    budget: dict[str, float | None] | None = None
    seeds: list[int] = []
    arms: dict[str, _Arm | None] = {}
    executor: _Plugin | str | None = None
    record: str = ""
    source: str = ""


class _Code(_Part):
    commit: str
    dirty: bool | None = None


class _Data(_Part):
    name: str
    digest: str
    notes: list[str] = []


class _Origin(_Part):
    study: _Code | None = None
    project: _Code | None = None
    packages: dict[str, str] = {}
    python: str = ""
    platform: str = ""
    host: str = ""
    cores: int | None = None
    devices: list[str] = []
    data: _Data | None = None
    identity: dict[str, Any] = {}
    accepted: list[str] = []


def _rule(words: str, shape: type[_Part]) -> Rule:
    def fault(value: Any) -> str:
        try:
            shape.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            return f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
        return ""

    return Rule(words, lambda value: not fault(value), fault)


STUDY: Final = _rule("the JSON of a study", _Study)
PROVENANCE: Final = _rule("the JSON of a provenance", _Origin)

"""The parts of a study and of a provenance that are read from the ledger, as JSON of any version has them.

What is absent or not named here is left alone: earlier versions wrote less, and plug-ins have options of
their own.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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


class _Final(_Part):
    seeds: int = 0
    top: int = Field(default=1, ge=1)


class _Study(_Part):
    name: str = ""
    task: _Task | None = None
    evaluator: _Plugin | str | None = None
    budget: dict[str, float | None] | None = None
    seeds: list[int] = []
    arms: dict[str, _Arm | None] = {}
    executor: _Plugin | str | None = None
    final: _Final | None = None
    record: str = ""
    source: str = ""


class _Code(_Part):
    commit: str
    dirty: bool | None = None


class _Data(_Part):
    name: str
    digest: str
    notes: list[str] = []
    features: dict[str, Any] = {}


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


class _EarlierTrial(_Part):
    config: dict[str, Any]
    values: list[float]
    source: int


class _Source(_Part):
    campaign: str
    data: str
    distance: float | None
    comparable: bool
    trials: int
    device_seconds: float


class _Plan(_Part):
    sources: list[_Source]
    first: list[dict[str, Any]]
    trials: list[_EarlierTrial]
    converted: dict[str, int]
    dropped: dict[str, int]
    left_out: int
    passed_over: list[str]

    @model_validator(mode="after")
    def _refer(self) -> _Plan:
        if any(not 0 <= trial.source < len(self.sources) for trial in self.trials):
            raise ValueError("a trial is of a source that is not listed")
        return self


class _Memory(_Part):
    model_config = ConfigDict(strict=True, extra="forbid")

    plans: list[_Plan]
    arms: dict[str, int]
    history: list[str]

    @model_validator(mode="after")
    def _refer(self) -> _Memory:
        if any(not 0 <= place < len(self.plans) for place in self.arms.values()):
            raise ValueError("an arm has a plan that is not listed")
        return self


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
MEMORY: Final = _rule("the JSON of a memory", _Memory)

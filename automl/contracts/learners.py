"""The contract of meta-learners as rooms other than `automl.learners` see it."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from automl.contracts.basics import Options

TaskKind: TypeAlias = Literal["classification", "regression"]


class LearnerTraits:
    """What a meta-learner says of itself. A plug-in is a subclass of one of the bases in `automl.learners`.

    - `Options`: its options, a `LearnerOptions`.
    - `kinds` (both): the kinds of tasks that it can learn.
    - `any_ways` (False): episodes may have other ways than it was made for.
    - `adaptation_steps` (False): it adapts step by step, so the error after 1, 3, 5 steps means something.
    - `baseline` (False): every study of meta-learners has an arm of it.
    """

    Options: ClassVar[type[Options]]
    kinds: ClassVar[frozenset[TaskKind]] = frozenset({"classification", "regression"})
    any_ways: ClassVar[bool] = False
    adaptation_steps: ClassVar[bool] = False
    baseline: ClassVar[bool] = False

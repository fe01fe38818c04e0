"""The options of meta-training, in which those of the learner stand too."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from automl import plugins
from automl.contracts import Config, EpisodeSpec, EvaluatorOptions, Metric, TaskKind, UserError
from automl.learners.base import Learner, LearnerOptions
from automl.metrics import REGRESSION

BackboneName: TypeAlias = Literal["auto", "conv4", "resnet12", "mlp"]
AUTO = get_args(BackboneName)[0]
BACKBONES: dict[TaskKind, BackboneName] = {"classification": "conv4", "regression": "mlp"}  # `auto`


class MetaLearnOptions(EvaluatorOptions):
    """The learner by name, its backbone, and how it is meta-trained; all other options are the learner's.

    `backbone` auto: `mlp` for functions, `conv4` for images. `transductive`: the batch-norm statistics of a
    query come from the query batch, not from the support set. A meta-iteration takes `meta_batch` episodes,
    or `batch_size` examples for learners that train on all classes at once; `train_ways`, `train_shots`,
    `train_queries` and `train_rotations` are the task's unless set. Every `report_every` meta-iterations
    the metric is taken on `validation_episodes` fixed episodes.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    learner: str = "maml"
    backbone: BackboneName = "auto"
    width: int = Field(32, ge=1)
    transductive: bool = False
    meta_batch: int = Field(4, ge=1)
    batch_size: int = Field(64, ge=2)
    iterations: int = Field(1000, ge=1)
    report_every: int = Field(100, ge=1)
    validation_episodes: int = Field(200, ge=2)
    train_ways: int | None = Field(None, ge=2)
    train_shots: int | None = Field(None, ge=1)
    train_queries: int | None = Field(None, ge=1)
    train_rotations: bool | None = None

    @model_validator(mode="after")
    def _check_learner(self) -> MetaLearnOptions:
        try:
            self.learner_options()
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    def learner_options(self) -> LearnerOptions:
        """The options of the learner. Raises `UserError` for an unknown learner or option."""
        learner = find_learner(self.learner)
        try:
            return learner.Options.model_validate(self.model_extra or {})
        except ValidationError as error:
            known = [*MetaLearnOptions.model_fields, *learner.Options.model_fields]
            raise UserError(_mistakes(error.errors(), f"option of {self.learner}", known)) from error

    def adjusted(self, config: Config) -> MetaLearnOptions:
        """These options with those that `config` sets; for another learner, without those it does not have.

        Raises `UserError` for a parameter that is no option, or for a value out of range.
        """
        learner = str(config.get("learner", self.learner))
        known = find_learner(learner).Options.model_fields
        kept = {
            name: value
            for name, value in self.model_dump().items()
            if name in MetaLearnOptions.model_fields or name in known
        }
        try:
            return MetaLearnOptions.model_validate({**kept, **config})
        except ValidationError as error:
            raise UserError(
                f"a parameter must be an option of the learner {learner!r} with a value it takes, but "
                f"{error.errors()[0]['msg']}; change the search space"
            ) from error

    def backbone_for(self, kind: TaskKind) -> BackboneName:
        """The backbone, with `auto` written out."""
        return BACKBONES[kind] if self.backbone == AUTO else self.backbone

    def training_episodes(self, spec: EpisodeSpec) -> EpisodeSpec:
        """How training episodes are drawn."""
        return EpisodeSpec(
            ways=self.train_ways or spec.ways,
            shots=self.train_shots or spec.shots,
            queries=self.train_queries or spec.queries,
            rotations=spec.rotations if self.train_rotations is None else self.train_rotations,
        )


def find_learner(name: str) -> type[Learner]:
    """The learner called `name`. Raises `UserError` for an unknown or broken one."""
    plugin = plugins.load("learners", name)
    if not (isinstance(plugin, type) and issubclass(plugin, Learner)):
        raise UserError(
            "a meta-learner must extend EpisodicLearner or JointLearner of automl.learners, but "
            f"{name!r} is {plugin!r}; extend one of them"
        )
    return plugin


def task_kind(metrics: tuple[Metric, ...]) -> TaskKind:
    """The kind of tasks that is judged by `metrics`."""
    return "regression" if any(metric.name in REGRESSION for metric in metrics) else "classification"


def _mistakes(details: list[ErrorDetails], what: str, known: list[str]) -> str:
    """All mistakes in one text, which lists the known options once."""
    unknown = [_name(item) for item in details if item["type"] == "extra_forbidden"]
    texts = [
        f"{_name(item)}: {item['msg']}, but got {item['input']!r}"
        for item in details
        if item["type"] != "extra_forbidden"
    ]
    if len(unknown) == 1:
        texts.append(plugins.unknown(what, unknown[0], known))
    elif unknown:
        listed = ", ".join(map(repr, unknown))
        texts.append(f"{what} must be one of those there are, but got {listed}; known: {', '.join(known)}")
    return "; ".join(texts)


def _name(details: ErrorDetails) -> str:
    return ".".join(map(str, details["loc"]))

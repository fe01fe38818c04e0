"""The options of a supernet search: the method, the monitor, and when the search ends."""

from __future__ import annotations

from pydantic import ConfigDict, Field, ValidationError, model_validator

from automl import contracts, plugins
from automl.contracts import UserError
from automl.oneshot.result import Action
from automl.supernets.alarms import DEFAULTS, AlarmOptions
from automl.supernets.base import SearchOptions, WeightSharing


class MonitorOptions(contracts.EvaluatorOptions):
    """`eigenvalue_every`: epochs between two readings of eigenvalue and discretisation gap, 0 for none.

    Without it every second epoch, or as seldom as keeps readings to about a tenth of the search.
    `eigenvalue_batch`: images of the fixed validation batch behind the Hessian. `on_collapse`: when an alarm
    rings, `stop` the search and derive from it as it is, go back to the last healthy genotype (`rollback`) or
    go on (`warn`). `rank_check`: random networks trained at the end to see how the supernet ranks them.
    """

    on_collapse: Action = "rollback"
    eigenvalue_every: int | None = Field(None, ge=0)
    eigenvalue_batch: int = Field(32, ge=2)
    alarms: AlarmOptions = DEFAULTS
    rank_check: int = Field(0, ge=0)


class SupernetOptions(MonitorOptions):
    """The weight-sharing method by name, and what watches over it; all other options are the method's own.

    `epochs`: at most so many search epochs; without it, as many as the budget holds beside the images.
    `eigenvalue_every`, `eigenvalue_batch`: epochs between two readings of the Hessian's largest eigenvalue
    (and of the discretisation gap), and images behind it. `alarms`, `on_collapse`: when a search counts as
    collapsed, and what then happens. `rank_check`: so many random networks are trained too, at the end.
    `synchronise`: on several devices, batch norms take the statistics of the whole batch, as one device does;
    else each those of its part, which is another algorithm.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    method: str = "darts"
    epochs: int | None = Field(None, ge=1)
    batch_size: int = Field(64, ge=2)
    synchronise: bool = True

    @model_validator(mode="after")
    def _check_method(self) -> SupernetOptions:
        try:
            self.method_options()
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    def method_class(self) -> type[WeightSharing]:
        """The method. Raises `UserError` for an unknown one."""
        method: object = plugins.load("supernets", self.method)
        if not (isinstance(method, type) and issubclass(method, WeightSharing)):
            raise UserError(
                "a supernet method must be a class that extends automl.supernets.base.WeightSharing, but "
                f"{self.method!r} is {method!r}; extend it"
            )
        return method

    def method_options(self) -> SearchOptions:
        """The options of the method. Raises `UserError` for an unknown method or option."""
        options = self.method_class().Options
        try:
            return options.model_validate(self.model_extra or {})
        except ValidationError as error:
            mistakes = [
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}, but got {item['input']!r}"
                for item in error.errors()
            ]
            known = dict.fromkeys(("method", *type(self).model_fields, *options.model_fields))
            raise UserError(f"{'; '.join(mistakes)}; known options: {', '.join(known)}") from error

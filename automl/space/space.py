"""Search spaces: parameters with conditions and constraints, and what can be done with a configuration."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from automl.contracts import Builder, Config, Scalar, UserError, digest
from automl.space.basics import is_active, same
from automl.space.counting import Count, number_of_configurations
from automl.space.declaration import Constraint, check_parameters, wrong_values
from automl.space.parameters import Float, Parameter, parameter_from_json
from automl.space.portfolio import Portfolio

TRIES = 10_000  # random configurations before constraints are said to leave nothing
DRAWS = 1_000_000  # of single values in these tries


class Space:
    """A set of configurations. `parameters` in order: parents before the children that name them in `when`.

    `default` is the configuration to start from, `canonical` maps a configuration to the plain
    JSON data that `digest` hashes (equal for equivalent configurations). `network(config, shape,
    classes, *, channels, cells)` builds the torch module of a configuration and
    `supernet(shape, classes, *, channels, cells)` the weight-sharing one.
    Raises `UserError` for impossible names, conditions or defaults.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        *,
        constraints: Iterable[Constraint] = (),
        default: Config | None = None,
        canonical: Callable[[Config], object] | None = None,
        network: Callable[..., Any] | None = None,
        supernet: Callable[..., Any] | None = None,
    ) -> None:
        self.parameters: dict[str, Parameter] = dict(parameters)
        self.constraints = tuple(constraints)
        self.canonical = canonical
        self.network = network
        self.supernet = supernet
        self.portfolio = Portfolio({})
        self._default = None if default is None else dict(default)
        check_parameters(self.parameters)
        if self._default is not None:
            self.check(self._default)

    def __repr__(self) -> str:
        return f"Space({self.parameters!r}, constraints={[rule.reason for rule in self.constraints]!r})"

    def active(self, parameter: Parameter, config: Mapping[str, Scalar]) -> bool:
        """Whether `config` gives all parents of `parameter` the values it needs."""
        return is_active(parameter, config)

    def fill(self, value: Callable[[str, Parameter], Scalar]) -> Config:
        """The configuration whose active parameters have the values that `value(name, parameter)` gives."""
        config: Config = {}
        for name, parameter in self.parameters.items():
            if self.active(parameter, config):
                config[name] = value(name, parameter)
        return config

    def broken(self, config: Config) -> list[str]:
        """Reasons of the constraints that a configuration with valid values breaks."""
        reasons = []
        for rule in self.constraints:
            try:
                kept = rule.check(dict(config))
            except Exception as error:
                duty = "a constraint must return a truth value for every configuration"
                raise UserError(f"{duty}, but {rule.reason!r} raised {error!r} for {config!r}") from error
            if not kept:
                reasons.append(rule.reason)
        return reasons

    def sample(self, rng: random.Random) -> Config:
        """A random configuration. Raises `UserError` when the constraints leave (almost) nothing."""
        tries = max(1, min(TRIES, DRAWS // len(self.parameters)))
        for _ in range(tries):
            config = self.fill(lambda _name, parameter: parameter.sample(rng))
            broken = self.broken(config)
            if not broken:
                return config
        text = f"constraints must leave configurations, but none of {tries} random ones fits; last: {broken}"
        raise UserError(text)

    def check(self, config: Config) -> None:
        """Raise `UserError` naming all mistakes of `config`."""
        if not isinstance(config, Mapping):
            raise UserError(f"a configuration must map names to values, but got {config!r}")
        mistakes = wrong_values(self.parameters, config) or self.broken(config)
        if mistakes:
            raise UserError("; ".join(mistakes))

    def is_valid(self, config: Config) -> bool:
        """Whether `check` finds no mistake."""
        try:
            self.check(config)
        except UserError:
            return False
        return True

    def _changed(
        self, config: Config, name: str, value: Scalar, new: Callable[[Parameter], Scalar]
    ) -> Config:
        """`config` with `name` set; parameters it activates get a `new` value, those it ends go."""
        known = {**config, name: value}
        return self.fill(lambda key, parameter: known[key] if key in known else new(parameter))

    def neighbours(self, config: Config) -> Iterator[Config]:
        """All valid configurations that differ in one parameter.

        Choices take every other option; numbers one step, or 5 % of their (log) range, down and
        up. Parameters that become active take their middle value. Raises `UserError` for an
        invalid `config`.
        """
        self.check(config)
        for name, value in config.items():
            for other in self.parameters[name].around(value):
                neighbour = self._changed(config, name, other, lambda parameter: parameter.middle())
                if not self.broken(neighbour):
                    yield neighbour

    def mutate(self, config: Config, rng: random.Random) -> Config:
        """A valid configuration with a new random value of one parameter of `config`.

        Parameters that become active are drawn too. Raises `UserError` for an invalid `config`
        or when no other configuration is in reach.
        """
        self.check(config)
        free = [name for name in config if self.parameters[name].size() > 1]
        for _ in range(TRIES // 100 if free else 0):
            name = rng.choice(free)
            value = self.parameters[name].sample(rng)
            if same(value, config[name]):
                continue
            mutant = self._changed(config, name, value, lambda parameter: parameter.sample(rng))
            if not self.broken(mutant):
                return mutant
        near = list(self.neighbours(config))
        if not near:
            raise UserError(f"a configuration must have valid neighbours to be mutated, but got {config!r}")
        return rng.choice(near)

    def digest(self, config: Config) -> str:
        """Sha256 (hex) of the configuration's canonical form."""
        if self.canonical is not None:
            return digest(self.canonical(config))
        floats = {name for name in config if isinstance(self.parameters.get(name), Float)}
        return digest({name: float(value) if name in floats else value for name, value in config.items()})  # type: ignore[arg-type]

    def size(self) -> float:
        """Number of configurations, constraints not respected, `inf` when continuous; see `count`."""
        return self.count().value

    def count(self) -> Count:
        """The size, and whether it is exact rather than a lower bound. Takes a second or two at most."""
        return number_of_configurations(self.parameters)

    def default_config(self) -> Config:
        """The default given to the space, else middle values and first options, else a fixed sample."""
        config = self._default
        if config is None:
            config = self.fill(lambda _name, parameter: parameter.middle())
        return self.sample(random.Random(0)) if self.broken(config) else dict(config)

    def with_portfolio(self, lists: Mapping[int, Sequence[Config]]) -> Space:
        """The space with a `Portfolio` of these lists. Raises `UserError` for configurations outside it."""
        space = self._with(self.parameters)
        space.portfolio = Portfolio(lists).checked(space.check)
        return space

    def builds(self, builder: Builder) -> bool:
        """Whether it has the builder `network` or `supernet`."""
        return (self.network if builder == "network" else self.supernet) is not None

    def fix(self, values: Mapping[str, object]) -> Space:
        """The space with parameters fixed at one value. Raises `UserError` that names all wrong values."""
        return self._restricted("fix", lambda parameter, value: parameter.fix(value), values)

    def narrow(self, values: Mapping[str, object]) -> Space:
        """The space with numbers in [low, high], choices among [options]; `UserError` when outside."""
        return self._restricted("narrow", lambda parameter, value: parameter.narrow(value), values)

    def _restricted(
        self, what: str, change: Callable[[Parameter, object], Parameter], values: Mapping[str, object]
    ) -> Space:
        mistakes, changed = [], dict(self.parameters)
        for name, value in values.items():
            try:
                if name not in self.parameters:
                    raise UserError(f"must be one of the parameters {list(self.parameters)}, but is not")
                changed[name] = change(self.parameters[name], value)
            except UserError as error:
                mistakes.append(f"{what} {name!r}: {error}")
        if mistakes:
            raise UserError("; ".join(mistakes))
        return self._with(changed)

    def _with(self, changed: Mapping[str, Parameter]) -> Space:
        kept: dict[str, Parameter] = {}
        for name, parameter in changed.items():
            when = {
                parent: [value for value in values if parent in kept and not kept[parent].problem(value)]
                for parent, values in parameter.when.items()
            }
            if all(when.values()):  # else a parent can no longer have the value it needs
                kept[name] = replace(parameter, when=when)
        space = Space(kept, constraints=self.constraints, canonical=self.canonical)
        space.network, space.supernet = self.network, self.supernet
        if self._default is not None:
            space._default = space._near(self._default)
        space.portfolio = self.portfolio.within(space.is_valid)
        return space

    def _near(self, config: Config) -> Config | None:
        """`config` with middle values where it does not fit this space; None when constraints forbid that."""
        nearest = self.fill(
            lambda name, parameter: (
                config[name] if name in config and not parameter.problem(config[name]) else parameter.middle()
            )
        )
        return None if self.broken(nearest) else nearest

    def to_json(self) -> dict[str, object]:
        """Parameters and conditions as plain JSON; constraints as their reasons only."""
        return {
            "parameters": [
                {"name": name, **parameter.to_json()} for name, parameter in self.parameters.items()
            ],
            "constraints": [rule.reason for rule in self.constraints],
            "default": self._default,
            **({"portfolio": self.portfolio.to_json()} if self.portfolio.lists else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Space:
        """The space that `to_json` wrote, without builders; its constraints forbid nothing."""
        space = cls(
            {item["name"]: parameter_from_json(item) for item in data["parameters"]},
            constraints=[Constraint(lambda _config: True, reason) for reason in data.get("constraints", ())],
            default=data.get("default"),
        )
        space.portfolio = Portfolio.from_json(data.get("portfolio", {}))
        return space

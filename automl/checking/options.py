"""Checks of the options of strategies, pruners and executors."""

from __future__ import annotations

from pydantic import ValidationError

from automl.contracts import Executor, Options, Pruner, Strategy


def check_options(plugin: type[Strategy | Pruner | Executor]) -> None:
    """Options extend `Options`, say what they are, have defaults or examples, and refuse unknown names."""
    options = plugin.Options
    name = plugin.__name__
    assert isinstance(options, type) and issubclass(options, Options), (
        f"{name}.Options must be a class that extends automl.contracts.Options, but is {options!r}"
    )
    assert plugin.__doc__, f"{name} must have a docstring that says the method and its source, but has none"
    assert options.__doc__, f"{options.__name__} must have a docstring that says each option, but has none"
    made = options(**plugin.example_options)
    try:
        options(**{**plugin.example_options, "no_such_option": 1})
    except ValidationError:
        pass
    else:
        raise AssertionError(f"{options.__name__} must refuse unknown options, but takes no_such_option")
    assert options.model_validate(made.model_dump(mode="json")) == made, (
        f"{options.__name__} must be plain JSON, but {made!r} does not survive it"
    )

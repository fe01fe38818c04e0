"""What an evaluator's trials are checked with where it names nothing itself: a protocol, a space, data."""

from __future__ import annotations

from automl import plugins
from automl.checking.tasks import episodic_task, image_task, table_task
from automl.contracts import Evaluator, Task, UserError
from automl.space import Space
from automl.spaces import find_space
from automl.training.protocol import NetworkTrainer

SHORT = {"epochs": 1, "batch_size": 8, "channels": 2}  # of the networks that another evaluator asks for


def protocol_of(evaluator: Evaluator) -> Evaluator:
    """The study's evaluator: itself, or one that trains networks where it asks another for them."""
    if evaluator.builder is None or isinstance(evaluator, NetworkTrainer):
        return evaluator
    for name in plugins.names("evaluators"):
        trainer = plugins.load("evaluators", name)
        if issubclass(trainer, NetworkTrainer):
            return trainer(trainer.Options.model_validate(SHORT))
    raise UserError("no known evaluator trains networks")


def example_space(plugin: type[Evaluator]) -> Space:
    """The smallest space with the builder that the evaluator needs, or its own."""
    if plugin.example_space is not None:
        return plugin.example_space
    if plugin.builder is None:
        raise UserError("example_space names no space to draw a configuration from")
    spaces = [find_space(name) for name in plugins.names("spaces")]
    return min((space for space in spaces if space.builds(plugin.builder)), key=lambda space: space.size())


def example_task(evaluator: Evaluator, space: Space, protocol: Evaluator) -> Task | None:
    """The first small task that the evaluator accepts."""
    if not evaluator.needs_data:
        return None
    refusals = []
    tasks = [episodic_task()] if evaluator.needs_episodes else [table_task(), image_task()]
    for task in [image_task()] if evaluator.builder else tasks:
        try:
            evaluator.check_data(task, space, protocol)
        except UserError as error:
            refusals.append(str(error))
            continue
        return task
    raise UserError(f"check_data refuses the small tasks of the checks ({'; '.join(refusals)})")

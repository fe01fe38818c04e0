"""What a study asks of its networks, tried on one of them before any trial runs."""

from __future__ import annotations

from collections.abc import Sequence

from automl.contracts import Split, Task, UserError
from automl.space import Space
from automl.training import images, saved, zero_cost
from automl.training.recipe import NetworkOptions, equip

IMAGES = 16  # scored, of the training data


def rehearse(options: NetworkOptions, task: Task, space: Space, names: Sequence[str]) -> None:
    """Raise `UserError` when the default network of `space` cannot follow `options`, or a proxy not score it.

    A network that cannot be built at all is left to the trials: they fail with a traceback.
    """
    config = space.default_config()
    options = options.adjusted(config)
    saved.builder_of(space)
    if not (names or options.cutout or options.drop_path or options.auxiliary):
        return
    with images.seeded(0, "cpu"):
        try:
            network = saved.build_network(space, config, task, options)
        except UserError:
            raise
        except Exception:
            return
        equip(network, options, task.shape, task.classes)
        batch = images.to_device(Split(task.train.x[:IMAGES], task.train.y[:IMAGES]), "cpu")
        for name in names:
            try:
                zero_cost.scores(network, [name], (batch.x, batch.y))
            except UserError:
                raise
            except Exception as error:
                raise UserError(
                    f"the proxy {name} must be able to score the networks of the space, but for a "
                    f"{type(network).__name__} it raised {error!r}; choose another (automl list proxies)"
                ) from error

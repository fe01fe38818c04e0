"""What the spaces of meta-learners share. Parameters are named as the options they set.

Every space names its learner, so that an arm needs no more than `{space: protonet, strategy: tpe}`: all other
options are those of the study's evaluator.
"""

from __future__ import annotations

from automl.space import Choice, Float, Int, Parameter, Space

OUTER_RATE = Float(1e-4, 1e-2, log=True)  # of Adam
INNER_RATE = Float(1e-3, 1.0, log=True)  # of plain descent
BATCH_SIZE = Int(16, 128, log=True)  # examples, for learners without episodes

EPISODES: dict[str, Parameter] = {"meta_batch": Int(1, 32, log=True)}
UNROLLED: dict[str, Parameter] = {
    **EPISODES,
    "inner_rate": INNER_RATE,
    "inner_steps": Int(1, 5),
    "first_order": Choice((False, True)),
}
MAML: dict[str, Parameter] = {**UNROLLED, "learned_rates": Choice((False, True))}
FOMAML: dict[str, Parameter] = {name: value for name, value in MAML.items() if name != "first_order"}
# more ways than the task's make harder, and so better, training episodes (Snell et al. 2017)
METRIC: dict[str, Parameter] = {
    **EPISODES,
    "train_ways": Int(2, 60, log=True),
    "train_shots": Int(1, 5),
}


def learner_space(learner: str, parameters: dict[str, Parameter]) -> Space:
    """The space of a learner: its name, the width of its backbone, its outer rate, its own parameters."""
    return Space(
        {
            "learner": Choice((learner,)),
            "width": Int(8, 128, log=True),
            "outer_rate": OUTER_RATE,
            **parameters,
        }
    )

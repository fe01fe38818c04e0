import math
import random
from collections.abc import Iterator

import optuna
import pytest

from automl.contracts import Config, Direction
from automl.strategies.importance import importance


def sampled(n: int, seed: int = 0) -> Iterator[Config]:
    rng = random.Random(seed)
    for _ in range(n):
        config = {"rate": 10 ** rng.uniform(-5, 0), "op": rng.choice(["a", "b", "c"]), "idle": rng.random()}
        if rng.random() < 0.5:
            config["depth"] = rng.randint(1, 9)
        yield config


def quality(config: Config) -> float:
    return -((math.log10(config["rate"]) + 2) ** 2) + 0.3 * (config["op"] == "a")


@pytest.mark.parametrize("sign", [1, -1])
def test_finds_what_matters_in_either_direction(sign: int) -> None:
    direction = Direction.MAXIMIZE if sign == 1 else Direction.MINIMIZE
    shares = importance([(config, sign * quality(config)) for config in sampled(300)], direction)
    assert next(iter(shares)) == "rate"
    assert shares["rate"] > 0.5 > shares["op"] > shares["idle"]
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == {"rate", "op", "idle", "depth"}


def test_the_scale_of_a_number_does_not_matter() -> None:
    trials = [(config, quality(config)) for config in sampled(200)]
    stretched = [({**config, "rate": math.log10(config["rate"])}, value) for config, value in trials]
    assert importance(trials, Direction.MAXIMIZE) == importance(stretched, Direction.MAXIMIZE)


def test_too_little_to_say() -> None:
    assert importance([], Direction.MAXIMIZE) == {}
    assert importance([(config, 1.0) for config in sampled(100)], Direction.MAXIMIZE) == {}
    assert importance([(config, quality(config)) for config in sampled(29)], Direction.MAXIMIZE) == {}
    assert importance([({}, i / 40) for i in range(40)], Direction.MAXIMIZE) == {}


def test_booleans_constants_and_missing_values() -> None:
    configs = [{"on": i % 2 == 0, "one": 1, "text": None if i % 3 else "x"} for i in range(60)]
    trials = [(config, i % 2 + i / 1e3) for i, config in enumerate(configs)]
    shares = importance(trials, Direction.MINIMIZE)
    assert next(iter(shares)) == "on"
    assert shares["one"] == 0


def test_thousands_of_trials_are_picked_from() -> None:
    trials = [(config, quality(config)) for config in sampled(5000)]
    shares = importance(trials, Direction.MAXIMIZE)
    assert list(shares)[:2] == ["rate", "op"]


def test_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    importance([(config, quality(config)) for config in sampled(40)], Direction.MAXIMIZE)
    assert capsys.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before

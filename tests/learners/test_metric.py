"""Metric learners and baselines in float64, against their definitions and scikit-learn."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor
from torch.nn import functional

from automl import plugins
from automl.checking.episodes import RepeatedTasks, double, images
from automl.contracts import Episodes, UserError
from automl.learners.backbones import Backbone
from automl.learners.embedding import logistic_regression
from automl.learners.formulations import Formulation
from automl.learners.metaopt_ridge import ridge
from automl.learners.metric import one_hot

EPISODIC = ["matching", "metaopt_ridge", "protonet", "relation", "siamese"]
JOINT = ["embedding", "finetune", "nearest_centroid"]
WAYS = 3


def learner(
    name: str, network: str = "conv4", *, width: int = 4, transductive: bool = False, **options: Any
) -> Any:
    plugin = plugins.load("learners", name)
    backbone = Backbone(network, (1, 8, 8), width, transductive=transductive)
    options = {"formulation": "batched"} | options  # nothing to measure
    defaults = {"siamese": {"units": 8}, "relation": {"hidden": 8}}.get(name, {})
    made = plugin(plugin.Options(**defaults | options), backbone, ways=WAYS, seed=3)
    made.to(dtype=torch.float64)
    made.begin(RepeatedTasks(images(2)))  # 6 classes
    return made


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def relabelled(episodes: Episodes, order: Tensor) -> Episodes:
    """Class k is called order[k]."""
    parts = (episodes.support_x, order[episodes.support_y], episodes.query_x, order[episodes.query_y])
    return Episodes(*parts, episodes.ways)


def test_protonet_logits_are_the_definition() -> None:
    made, tasks = learner("protonet"), double(images(2))
    for task in range(2):
        support, stats = made.backbone.apply(made.parameters, tasks.support_x[task])
        query = made.backbone.apply(made.parameters, tasks.query_x[task], stats)[0]
        for k in range(WAYS):
            prototype = support[tasks.support_y[task] == k].mean(0)
            expected = -(query - prototype).square().sum(-1)
            torch.testing.assert_close(made.predict(tasks)[task, :, k], expected.detach())


@pytest.mark.parametrize("transductive", [False, True])
@pytest.mark.parametrize("name", EPISODIC)
def test_all_tasks_at_once_give_the_gradient_of_the_loop(name: str, transductive: bool) -> None:
    made, tasks = learner(name, transductive=transductive), double(images(3))
    expected = made.meta_gradient(tasks, Formulation(0))[1]
    found = made.meta_gradient(tasks, Formulation(3))[1]
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", EPISODIC)
def test_meta_gradients_are_finite_differences(name: str) -> None:
    made, tasks = learner(name, "mlp"), double(images(2))
    gradient = made.meta_gradient(tasks, Formulation(2))[1]
    for value in made.parameters.values():
        direction = normal(*value.shape, seed=value.numel())
        key = next(key for key, other in made.parameters.items() if other is value)
        losses = []
        for sign in (1, -1):
            value.data += sign * 1e-6 * direction
            losses.append(float(made.meta_gradient(tasks, Formulation(2))[0]))
            value.data -= sign * 1e-6 * direction
        slope = (losses[0] - losses[1]) / 2e-6
        assert float((gradient[key] * direction).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-8), key


@pytest.mark.parametrize("name", [*EPISODIC, *JOINT])
def test_renaming_classes_renames_logits(name: str) -> None:
    made, tasks, order = learner(name), double(images(2)), torch.tensor([2, 0, 1])
    torch.testing.assert_close(made.predict(relabelled(tasks, order))[..., order], made.predict(tasks))


@pytest.mark.parametrize("name", [*EPISODIC, *JOINT])
def test_any_number_of_ways_fits(name: str) -> None:
    made, tasks = learner(name), double(images(2, ways=5))
    assert made.predict(tasks).shape == (2, 10, 5)
    torch.testing.assert_close(
        made.adapt(tasks.support_x[1], tasks.support_y[1])(tasks.query_x[1]), made.predict(tasks)[1]
    )


@pytest.mark.parametrize("full_context", [False, True])
def test_matching_attention_sums_to_one_and_gives_the_probabilities(full_context: bool) -> None:
    made, tasks = learner("matching", full_context=full_context), double(images(2))
    support, query = normal(6, made.backbone.features), normal(5, made.backbone.features, seed=1)
    fitted = made.fit(support, tasks.support_y[0], WAYS)
    attention = made.attention(fitted, query)
    torch.testing.assert_close(attention.sum(-1), torch.ones(5, dtype=torch.float64))
    if not full_context:
        cosine = functional.cosine_similarity(query[:, None], support[None], dim=-1)
        torch.testing.assert_close(attention, cosine.exp() / cosine.exp().sum(1, keepdim=True))
    probabilities = made.predict(tasks).exp()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones_like(probabilities[..., 0]))
    assert made.meta_gradient(tasks, Formulation(2))[0].isfinite()


def test_relation_loss_is_the_squared_error_on_0_and_1() -> None:
    made, tasks = learner("relation"), double(images(2))
    scores = 1 / (1 + (-made.predict(tasks)).exp())
    total = 0.0
    for task, query, k in np.ndindex(*scores.shape):
        total += (float(scores[task, query, k]) - float(tasks.query_y[task, query] == k)) ** 2
    assert float(made.meta_gradient(tasks)[0]) == pytest.approx(total / scores.numel(), rel=1e-12)


def test_siamese_pairs_are_symmetric_and_the_best_match_counts() -> None:
    made, tasks = learner("siamese"), double(images(1))
    a, b = made.twins(normal(4, 4)), made.twins(normal(5, 4, seed=1))
    torch.testing.assert_close(made.pair_logits(a, b), made.pair_logits(b, a).T)
    support, stats = made.encode_support(tasks.support_x[0])
    query = made.encode_query(tasks.query_x[0], stats)
    pairs = made.pair_logits(made.twins(query), made.twins(support))
    best = torch.stack([pairs[:, tasks.support_y[0] == k].max(1).values for k in range(WAYS)], 1)
    torch.testing.assert_close(made.predict(tasks)[0], best.detach())


@pytest.mark.parametrize(("examples", "features"), [(4, 7), (7, 4)])
def test_ridge_is_that_of_scikit_learn_and_differentiable(examples: int, features: int) -> None:
    x, y = normal(examples, features), normal(examples, 3, seed=1)
    penalty = torch.tensor(0.7, dtype=torch.float64)
    expected = Ridge(alpha=0.7, fit_intercept=False).fit(x.numpy(), y.numpy()).coef_.T
    np.testing.assert_allclose(ridge(x, y, penalty).numpy(), expected, rtol=1e-9, atol=1e-12)
    leaves = (x.requires_grad_(), y.requires_grad_(), penalty.requires_grad_())
    assert torch.autograd.gradcheck(ridge, leaves)


def test_ridge_heads_learn_regression_too() -> None:
    plugin = plugins.load("learners", "metaopt_ridge")
    made = plugin(plugin.Options(ridge=1e-6), Backbone("mlp", (1,), 8), ways=0, seed=0)
    made.to(dtype=torch.float64)
    x = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]
    predict = made.adapt(x, 3 * x[:, 0] + 1)
    torch.testing.assert_close(predict(x), 3 * x[:, 0] + 1, rtol=0, atol=1e-3)


@pytest.mark.parametrize("c", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("shots", [1, 5])
def test_logistic_regression_is_that_of_scikit_learn(shots: int, c: float) -> None:
    y = torch.arange(5).repeat_interleave(shots)
    x = functional.normalize(normal(5, 8)[y] + 0.7 * normal(len(y), 8, seed=1), dim=-1)
    weight, bias = logistic_regression(x, one_hot(y, 5, x), c)
    exact = LogisticRegression(C=c, tol=1e-10, max_iter=2000).fit(x.numpy(), y.numpy())
    query = functional.normalize(normal(50, 8, seed=2), dim=-1)
    found = (query @ weight.T + bias).softmax(-1)
    np.testing.assert_allclose(found.numpy(), exact.predict_proba(query.numpy()), atol=1e-5)


def test_nearest_centroid_centres_and_takes_unit_length() -> None:
    made, tasks = learner("nearest_centroid", "mlp"), double(images(1))
    made.joint_step(tasks.support_x[0], tasks.support_y[0])
    features = (made.features(made.parameters, x[0]).detach() for x in (tasks.support_x, tasks.query_x))
    support, query = (functional.normalize(each - made.centre) for each in features)
    for k in range(WAYS):
        mean = support[tasks.support_y[0] == k].mean(0)
        torch.testing.assert_close(made.predict(tasks)[0, :, k], -(query - mean).square().sum(1))


@pytest.mark.parametrize("transductive", [False, True])
def test_joint_norms_adapt_with_statistics_of_training_unless_transductive(transductive: bool) -> None:
    made, tasks = learner("embedding", transductive=transductive), double(images(1))
    for _ in range(3):
        made.joint_step(tasks.support_x[0], tasks.support_y[0])
    predict = made.adapt(tasks.support_x[0], tasks.support_y[0])
    alone = torch.cat([predict(x[None]) for x in tasks.query_x[0]])
    assert torch.allclose(alone, predict(tasks.query_x[0])) is not transductive
    assert any(key.startswith("statistics.") for key in made.parameters_for_export()) is not transductive


def test_finetuning_classifies_by_a_new_head_on_features_that_stay() -> None:
    made, tasks = learner("finetune", "mlp", inner_rate=0.1), double(images(1))
    features = made.features(made.parameters, tasks.support_x[0]).detach()
    errors = 1 / WAYS - functional.one_hot(tasks.support_y[0], WAYS).double()  # softmax of zeros is 1/ways
    weight, bias = -0.1 * errors.T @ features / len(errors), -0.1 * errors.mean(0)
    query = made.features(made.parameters, tasks.query_x[0]).detach()
    torch.testing.assert_close(made.predict(tasks, steps=1)[0], query @ weight.T + bias)


def test_no_adaptation_looks_at_no_support_label() -> None:
    plugin = plugins.load("learners", "no_adaptation")
    made = plugin(plugin.Options(), Backbone("mlp", (1, 8, 8), 4), ways=WAYS, seed=0)
    tasks = images(2)
    assert torch.equal(made.predict(tasks), made.predict(relabelled(tasks, torch.tensor([2, 0, 1]))))


@pytest.mark.parametrize("name", [*EPISODIC, *JOINT])
def test_a_little_training_beats_chance(name: str) -> None:
    """600 queries at chance 1/3 are within 0.02 (one sigma); 0.6 is 14 sigmas away."""
    options: dict[str, Any] = {"inner_rate": 0.1} if name == "finetune" else {}
    made = learner(name, "mlp", width=32, outer_rate=3e-3, **options)
    for seed in range(60 if name == "relation" else 20):
        made.learn(RepeatedTasks(double(images(8, seed=seed))))
    tasks = double(images(100, seed=99))
    accuracy = float((made.predict(tasks).argmax(-1) == tasks.query_y).double().mean())
    assert accuracy > 0.6


def test_regression_is_refused_before_any_training() -> None:
    for name in (*EPISODIC, "embedding", "nearest_centroid"):
        plugin = plugins.load("learners", name)
        if "regression" in plugin.kinds:
            continue
        with pytest.raises(UserError, match=f"the learner {name} must be classification"):
            plugin(plugin.Options(), Backbone("mlp", (1,), 4), ways=0, seed=0)

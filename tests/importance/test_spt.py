"""SPT's scores against plain autograd, and what they leave behind."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, BertConfig

from autopeft import catalog
from autopeft.errors import AutoPeftError, UsageError
from autopeft.sites.discovery import discover
from autopeft.types import Backbone, Placement, Scores

METHOD = catalog.importance.load("spt")
STRUCTURED = catalog.allocators.load("structured")
BINS = 400


def score(model: nn.Module, backbone: Backbone, batches: list[Any]) -> Scores:
    """SPT reads nothing else of a scoring."""
    return METHOD.score(SimpleNamespace(model=model, backbone=backbone, batches=batches))


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)


class Toy(nn.Module):
    def __init__(self, layers: int = 3, width: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))


def backbone_of(model: nn.Module) -> Backbone:
    return discover(model, {}, name="toy")


def tiny_bert() -> nn.Module:
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        vocab_size=40,
        max_position_embeddings=16,
        num_labels=3,
    )
    return AutoModelForSequenceClassification.from_config(config)


def closures(model: nn.Module, batches: int = 3) -> list:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 40, (batches, 4, 7), generator=generator)
    labels = torch.randint(0, 3, (batches, 4), generator=generator)

    def closure(index: int):
        return lambda: model(input_ids=ids[index], labels=labels[index]).loss

    return [closure(index) for index in range(batches)]


def test_scores_are_the_squared_gradients_of_each_batch() -> None:
    model = tiny_bert()
    backbone = backbone_of(model)
    scores = score(model, backbone, closures(model))
    linears = [site for site in backbone.sites if site.kind == "linear"]
    weights = [model.get_submodule(site.path).weight for site in linears]
    model.eval()
    expected = torch.zeros(len(linears), dtype=torch.float64)
    for closure in closures(model):
        gradients = torch.autograd.grad(closure(), weights)
        expected += torch.stack([g.double().square().sum() for g in gradients])
    assert list(scores.site) == [site.name for site in linears]
    torch.testing.assert_close(
        torch.tensor(list(scores.site.values()), dtype=torch.float64), expected, rtol=1e-5, atol=0
    )
    assert scores.layer(0) == pytest.approx(float(expected[:6].sum()), rel=1e-5)


def test_histogram_counts_every_weight_with_a_gradient() -> None:
    model = tiny_bert()
    backbone = backbone_of(model)
    histogram = score(model, backbone, closures(model)).detail["histogram"]
    for site in backbone.sites:
        if site.kind == "linear":
            assert sum(histogram[site.name]) == site.in_features * site.out_features


def test_histogram_bins_are_tenths_of_a_decade_from_1e_minus_30() -> None:
    model = Toy(1, 2)
    weight = model.layers[0].fc1.weight
    slope = torch.zeros_like(weight)
    slope[0, 0], slope[1, 0], slope[2, 0], slope[3, 0] = 1.05, 10.5, 1e-17, 1e8
    scores = score(model, backbone_of(model), [lambda: (weight * slope).sum()])
    histogram = scores.detail["histogram"]["0.mlp.up"]
    assert {i: n for i, n in enumerate(histogram) if n} == {0: 1, 300: 1, 320: 1, BINS - 1: 1}


def test_gradients_of_opposite_batches_do_not_cancel() -> None:
    model = Toy(1, 2)
    weight = model.layers[0].fc1.weight
    batches = [lambda: weight.sum(), lambda: -weight.sum()]
    assert score(model, backbone_of(model), batches).site["0.mlp.up"] == 2 * weight.numel()


def test_scores_are_json() -> None:
    model = Toy()
    scores = score(model, backbone_of(model), [lambda: model.layers[0].fc1.weight.square().sum()])
    assert json.loads(json.dumps(dict(scores.detail))) == scores.detail


def test_model_comes_back_as_it_was() -> None:
    model = tiny_bert()
    model.train()
    model.bert.encoder.layer[0].eval()
    model.bert.embeddings.requires_grad_(False)
    flags = [p.requires_grad for p in model.parameters()]
    modes = [m.training for m in model.modules()]
    values = [p.detach().clone() for p in model.parameters()]
    with torch.no_grad():
        score(model, backbone_of(model), closures(model))
    assert [p.requires_grad for p in model.parameters()] == flags
    assert [m.training for m in model.modules()] == modes
    assert all(p.grad is None for p in model.parameters())
    assert all(map(torch.equal, values, model.parameters()))
    loss = closures(model)[0]()
    loss.backward()
    assert model.bert.encoder.layer[1].output.dense.weight.grad is not None


def test_model_comes_back_as_it_was_after_a_failure() -> None:
    model = tiny_bert()
    flags = [p.requires_grad for p in model.parameters()]

    def broken() -> torch.Tensor:
        raise RuntimeError("no more rows")

    with pytest.raises(RuntimeError, match="no more rows"):
        score(model, backbone_of(model), [*closures(model), broken])
    assert [p.requires_grad for p in model.parameters()] == flags
    assert all(p.grad is None for p in model.parameters())


def test_a_gradient_is_freed_before_the_next_one_comes() -> None:
    model = Toy()
    weights = [layer.fc1.weight for layer in model.layers]
    alive: list[int] = []

    def loss() -> torch.Tensor:
        total = torch.zeros(())
        for weight in weights:
            part = weight.sum()
            part.register_hook(lambda g: alive.append(sum(w.grad is not None for w in weights)))
            total = total + part
        return total

    score(model, backbone_of(model), [loss])
    assert alive == [0, 0, 0]


def test_shared_weight_scores_at_both_sites() -> None:
    model = Toy(2, 4)
    model.layers[1].fc1.weight = model.layers[0].fc1.weight
    scores = score(
        model, backbone_of(model), [lambda: sum(layer.fc1.weight.sum() for layer in model.layers)]
    )
    assert scores.site["0.mlp.up"] == scores.site["1.mlp.up"] == 32 * 2.0**2


@pytest.mark.parametrize("factor", [float("nan"), float("inf")])
def test_loss_that_is_not_finite_is_an_error(factor: float) -> None:
    model = Toy()
    with pytest.raises(AutoPeftError, match="loss of batch 2 is not finite") as caught:
        score(
            model,
            backbone_of(model),
            [
                lambda: model.layers[0].fc1.weight.sum(),
                lambda: model.layers[0].fc1.weight.sum() * factor,
            ],
        )
    assert caught.value.hint


def test_gradient_that_is_not_finite_is_an_error_that_names_the_site() -> None:
    model = Toy()
    nn.init.zeros_(model.layers[1].fc2.weight)
    with pytest.raises(AutoPeftError, match=r"`1\.mlp\.down`"):
        score(model, backbone_of(model), [lambda: model.layers[1].fc2.weight.sqrt().sum()])


def test_no_batch_is_an_error() -> None:
    with pytest.raises(UsageError, match="at least one batch"):
        score(Toy(), backbone_of(Toy()), [])


def test_loss_without_the_backbone_is_an_error() -> None:
    with pytest.raises(AutoPeftError, match="does not depend"):
        score(Toy(), backbone_of(Toy()), [lambda: torch.ones(())])


def test_integer_weights_are_an_error() -> None:
    model = Toy()
    model.layers[0].fc1.weight = nn.Parameter(
        torch.zeros(16, 8, dtype=torch.uint8), requires_grad=False
    )
    with pytest.raises(UsageError, match=r"`0\.mlp\.up` is torch\.uint8"):
        score(model, backbone_of(model), [lambda: torch.ones(())])


def test_planted_matrix_is_structured_first() -> None:
    model = Toy()
    backbone = backbone_of(model)
    scores = score(model, backbone, [lambda: model.layers[1].fc2.weight.square().sum()])
    one = 8 * (16 + 8)
    assert STRUCTURED.allocate(scores, backbone, one, {}) == (
        Placement("1.mlp.down", "lora", {"rank": 8, "scaling": 2.0}),
    )
    assert STRUCTURED.allocate(scores, backbone, one - 1, {}) == ()
    assert len(STRUCTURED.allocate(scores, backbone, 100 * one, {})) == 1

"""Contracts that every piece must pass, shipped or foreign: subclass one and set `name`.

```python
class TestEnergy(ObjectiveContract):
    name = "energy"
```
"""

from __future__ import annotations

from typing import Any, ClassVar

from autopeft import catalog
from autopeft.space.expansion import expand
from autopeft.training.pack import Job, Pack
from autopeft.types import Backbone, Configuration, Placement


class ObjectiveContract:
    """What every objective promises."""

    name: ClassVar[str]

    def test_direction_stage_and_label(self) -> None:
        """The words are those that everything else understands."""
        objective = catalog.objectives.load(self.name)
        assert objective.direction in ("maximize", "minimize")
        assert objective.stage in ("count", "probe", "proxy", "confirm")
        assert objective.label

    def test_the_name_is_the_file(self) -> None:
        """It is found under its own name."""
        assert self.name in catalog.objectives.names()


class SpaceContract:
    """What every shipped search space promises on a backbone; set `backbone` in the test."""

    name: ClassVar[str]

    def backbone(self) -> Backbone:
        """The backbone to expand for."""
        raise NotImplementedError

    def test_it_expands_and_every_dimension_has_values(self) -> None:
        """No dimension is empty, and positions rise from 0 to 1."""
        spec = catalog.spaces.load(self.name)
        space = expand(spec, self.backbone(), catalog.modules.all())
        assert spec.name == self.name
        assert spec.summary
        for dimension in space.dimensions:
            assert dimension.values
            assert list(dimension.positions) == sorted(dimension.positions)
            assert 0 <= dimension.positions[0] <= dimension.positions[-1] <= 1


class ModuleContract:
    """What every PEFT module type promises on a model; set `model` and `backbone` in the test."""

    name: ClassVar[str]
    changes_at_start: ClassVar[bool] = False
    """Whether the module changes the output before it is trained; documented exceptions only."""

    def model(self) -> Any:
        """A small frozen classification model in eval mode."""
        raise NotImplementedError

    def discovered(self, model: Any) -> Backbone:
        """Its backbone."""
        raise NotImplementedError

    def batch(self) -> dict[str, Any]:
        """A few rows that the model takes."""
        raise NotImplementedError

    def _pack(self, model: Any, size: int) -> Pack:
        piece = catalog.modules.load(self.name)
        backbone = self.discovered(model)
        placed = tuple(
            Placement(site.name, self.name, {**piece.defaults, piece.size: size})
            for site in backbone.sites
            if site.kind == piece.kind and size
        )
        job = Job(Configuration(placed, 1e-3), 0)
        return Pack(model, backbone, [job], modules=catalog.modules.all(), head=())

    def test_the_count_is_that_of_the_stacked_parameters(self) -> None:
        """The formula and the instantiated module agree at every site."""
        model = self.model()
        piece = catalog.modules.load(self.name)
        pack = self._pack(model, 3)
        for key, layer in pack.layers.items():
            counted = piece.count(pack.sites[key], {**piece.defaults, piece.size: 3})
            assert counted.parameters == sum(p.numel() for p in layer.parameters())
            assert counted.published <= counted.parameters

    def test_its_start(self) -> None:
        """Output at initialisation, against the model without the module."""
        import torch

        model = self.model()
        outputs = []
        for size in (0, 3):
            pack = self._pack(model, size)
            with pack.attached(model), torch.no_grad():
                outputs.append(pack.logits(model, self.batch()))
        same = torch.allclose(outputs[0], outputs[1], atol=1e-12)
        assert same is not self.changes_at_start

    def test_detaching_restores_the_model_bit_for_bit(self) -> None:
        """Hooks, attributes and outputs are as before."""
        import torch

        model = self.model()
        with torch.no_grad():
            before = model(**self.batch()).logits
            with self._pack(model, 3).attached(model):
                pass
            assert torch.equal(model(**self.batch()).logits, before)

    def test_every_parameter_gets_a_gradient_within_two_steps(self) -> None:
        """Nothing that is counted is dead."""
        import torch

        model = self.model()
        pack = self._pack(model, 3)
        optimiser = torch.optim.SGD(pack.layers.parameters(), lr=1.0)
        moved: set[str] = set()
        with pack.attached(model):
            for _ in range(2):
                optimiser.zero_grad()
                pack.logits(model, self.batch()).square().sum().backward()
                moved |= {
                    name
                    for name, p in pack.layers.named_parameters()
                    if p.grad is not None and bool(p.grad.any())
                }
                optimiser.step()
        assert moved == {name for name, _ in pack.layers.named_parameters()}

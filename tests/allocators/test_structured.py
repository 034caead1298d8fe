"""SPT's allocation on planted, tied and random sensitivities."""

import random

import pytest

from autopeft import allocation, catalog
from autopeft.errors import UsageError
from autopeft.types import Backbone, Placement, Scores, Site

METHOD = catalog.allocators.load("structured")
BINS = 400


def made_up(exponents: dict[str, list[int]], backbone: Backbone) -> Scores:
    """Scores whose sites have one weight at each of the given bins."""
    histogram = {site.name: [0] * BINS for site in backbone.sites if site.kind == "linear"}
    for name, bins in exponents.items():
        for index in bins:
            histogram[name][index] += 1
    sums = {name: float(sum(row)) for name, row in histogram.items()}
    return Scores("spt", sums, {}, {"histogram": histogram})


def flat(sites: int, width: int = 100) -> Backbone:
    """A backbone of equal square linears, one per layer: rank 8 costs 16 x width at each."""
    linears = [Site(i, "mlp.up", "linear", f"layers.{i}.up", width, width) for i in range(sites)]
    layers = tuple(f"layers.{i}" for i in range(sites))
    return Backbone("flat", "toy", layers, tuple(linears), width, sites * width * width)


def cost(placements: tuple[Placement, ...], backbone: Backbone) -> int:
    sites = {placement.site: backbone.site(placement.site) for placement in placements}
    return sum(
        int(p.settings["rank"]) * (sites[p.site].in_features + sites[p.site].out_features)
        for p in placements
    )


def test_order_is_that_of_the_most_sensitive_weights_and_not_of_their_sum() -> None:
    backbone = flat(2)
    scores = made_up({"0.mlp.up": [399] * 10 + [0] * 990, "1.mlp.up": [350] * 1000}, backbone)
    (first,) = METHOD.allocate(scores, backbone, 1600, {})
    assert first.site == "1.mlp.up"


def test_threshold_is_the_share_of_the_module_that_must_be_sensitive() -> None:
    backbone = flat(2)
    # 160 weights are a tenth of the module's 1600: site 0 reaches that first, site 1 has more.
    scores = made_up({"0.mlp.up": [350] * 160, "1.mlp.up": [349] * 2000}, backbone)
    (ten,) = METHOD.allocate(scores, backbone, 1600, {"threshold": 10})
    (one,) = METHOD.allocate(scores, backbone, 1600, {"threshold": 1})
    assert (ten.site, one.site) == ("0.mlp.up", "1.mlp.up")


def test_equal_sites_are_taken_in_site_order() -> None:
    backbone = flat(12)
    scores = made_up({f"{i}.mlp.up": [300] * 500 for i in range(12)}, backbone)
    placements = METHOD.allocate(scores, backbone, 3 * 1600 + 1599, {})
    assert [p.site for p in placements] == ["0.mlp.up", "1.mlp.up", "2.mlp.up"]


def test_a_smaller_site_fills_what_a_larger_one_leaves() -> None:
    big = Site(0, "mlp.up", "linear", "layers.0.up", 300, 300)
    small = Site(1, "mlp.up", "linear", "layers.1.up", 100, 100)
    backbone = Backbone("two", "toy", ("layers.0", "layers.1"), (big, small), 100, 100_000)
    scores = made_up({"0.mlp.up": [310] * 5000, "1.mlp.up": [100] * 10}, backbone)
    assert [p.site for p in METHOD.allocate(scores, backbone, 4799, {})] == ["1.mlp.up"]
    assert [p.site for p in METHOD.allocate(scores, backbone, 4800, {})] == ["0.mlp.up"]
    assert len(METHOD.allocate(scores, backbone, 6400, {})) == 2


def test_never_above_the_budget_and_nothing_that_fits_is_left_out() -> None:
    draw = random.Random(0)
    for _ in range(100):
        sizes = [(draw.randint(1, 200), draw.randint(1, 200)) for _ in range(draw.randint(1, 12))]
        sites = tuple(
            Site(i, "mlp.up", "linear", f"layers.{i}.up", *size) for i, size in enumerate(sizes)
        )
        backbone = Backbone("any", "toy", tuple(s.path for s in sites), sites, 1, 1)
        bins = {s.name: draw.choices(range(BINS), k=draw.choice([0, 1, 300])) for s in sites}
        scores = made_up(bins, backbone)
        settings = {"rank": draw.choice([1, 8, 64]), "threshold": draw.choice([0.1, 5.0, 10.0])}
        budget = draw.randint(0, 40_000)
        placements = METHOD.allocate(scores, backbone, budget, settings)
        assert cost(placements, backbone) <= budget
        assert placements == METHOD.allocate(scores, backbone, budget, settings)
        left = budget - cost(placements, backbone)
        placed = {p.site for p in placements}
        for site in sites:
            fits = settings["rank"] * (site.in_features + site.out_features) <= left
            assert site.name in placed or not fits or not bins[site.name]


# --- the whole split --------------------------------------------------------------------------


def split(scores: Scores, backbone: Backbone, budget: int, **settings: float) -> dict[str, int]:
    """Site -> entries, or -1 for a module."""
    placed = METHOD.allocate(scores, backbone, budget, {**settings, "unstructured": True})
    assert allocation.parameters(placed, backbone) <= budget
    return {p.site: int(p.settings.get("entries", -1)) for p in placed}


def test_the_informative_matrix_is_structured_first_and_others_are_tuned_weight_by_weight() -> None:
    backbone = flat(3)
    bins = {"0.mlp.up": [350] * 10, "1.mlp.up": [350] * 1500, "2.mlp.up": [200] * 400}
    scores = made_up(bins, backbone)
    assert split(scores, backbone, 1599)["1.mlp.up"] > 1400, "a module does not fit yet"
    found = split(scores, backbone, 1700)
    assert (found["0.mlp.up"], found["1.mlp.up"]) == (10, -1)
    assert 70 < found["2.mlp.up"] <= 90
    assert split(scores, backbone, 1620, threshold=1)["1.mlp.up"] > 1400, "which is not a module"
    assert split(scores, backbone, 10**6) == {"0.mlp.up": 10, "1.mlp.up": -1, "2.mlp.up": -1}


def test_of_two_that_reach_the_threshold_at_once_the_first_is_structured() -> None:
    backbone = flat(2)
    scores = made_up({f"{i}.mlp.up": [300] * 5000 for i in range(2)}, backbone)
    found = split(scores, backbone, 2000)
    assert found["0.mlp.up"] == -1
    assert 380 <= found["1.mlp.up"] <= 400


def test_a_site_has_no_more_entries_than_weights_and_little_is_left_over() -> None:
    draw = random.Random(0)
    for _ in range(100):
        sizes = [(draw.randint(1, 60), draw.randint(1, 60)) for _ in range(draw.randint(1, 12))]
        sites = tuple(
            Site(i, "mlp.up", "linear", f"layers.{i}.up", *size) for i, size in enumerate(sizes)
        )
        backbone = Backbone("any", "toy", tuple(s.path for s in sites), sites, 1, 1)
        weights = {s.name: s.in_features * s.out_features for s in sites}
        bins = {
            n: draw.choices(range(BINS), k=draw.choice([1, count])) for n, count in weights.items()
        }
        scores, threshold = made_up(bins, backbone), draw.choice([0.1, 5.0, 10.0])
        budget = draw.randint(1, 9_000)
        found = split(scores, backbone, budget, threshold=threshold)
        assert found == split(scores, backbone, budget, threshold=threshold)
        assert all(-1 <= entries <= weights[name] for name, entries in found.items())
        modules = sum(8 * sum(sizes[int(n[: n.index(".")])]) for n, e in found.items() if e < 0)
        entries = sum(e for e in found.values() if e > 0)
        everything = sum(len(bins[n]) for n in weights if found.get(n, 0) >= 0)
        assert entries >= 0.9 * min(budget - modules, everything) - len(sites) - 1


@pytest.mark.parametrize("budget", [0, -5])
def test_no_budget_places_nothing(budget: int) -> None:
    backbone = flat(2)
    scores = made_up({"0.mlp.up": [300] * 500}, backbone)
    assert METHOD.allocate(scores, backbone, budget, {}) == ()


def test_no_gradient_anywhere_places_nothing() -> None:
    assert METHOD.allocate(made_up({}, flat(2)), flat(2), 10**6, {}) == ()


def test_settings_reach_the_module() -> None:
    backbone = flat(1)
    scores = made_up({"0.mlp.up": [300] * 500}, backbone)
    (placement,) = METHOD.allocate(scores, backbone, 10**6, {"rank": 3, "scaling": 0.5})
    assert placement.settings == {"rank": 3, "scaling": 0.5}


@pytest.mark.parametrize("settings", [{"rank": 0}, {"threshold": 0}, {"threshold": float("nan")}])
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        METHOD.allocate(made_up({}, flat(1)), flat(1), 10, settings)


def test_scores_of_another_backbone_are_refused() -> None:
    with pytest.raises(UsageError, match=r"`2\.mlp\.up`") as caught:
        METHOD.allocate(made_up({"0.mlp.up": [1]}, flat(2)), flat(3), 10**6, {})
    assert caught.value.hint

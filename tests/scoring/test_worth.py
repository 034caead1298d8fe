"""What importance scores say that a placement is worth."""

import json
import math

import pytest

from autopeft import catalog
from autopeft.scoring.worth import Worth, worth_of
from autopeft.types import Configuration, Placement, Scores

SCORES = Scores("spt", {"0.attention.query": 1.0, "0.mlp.up": 2.0, "1.attention.query": 5.0}, {})
WORTH = worth_of(SCORES, catalog.modules.all())


def test_a_linear_is_worth_its_share_times_the_logarithm_of_the_size():
    placement = Placement("1.attention.query", "lora", {"rank": 7, "scaling": 2.0})
    assert WORTH(placement) == pytest.approx(5 / 8 * math.log(8))


@pytest.mark.parametrize(
    ("site", "module", "size", "share"),
    [
        ("0.attention", "prefix", "length", 1 / 8),
        ("0.mlp", "parallel_adapter", "bottleneck", 2 / 8),
        ("0.layer", "serial_adapter", "bottleneck", 3 / 8),
        ("7.layer", "serial_adapter", "bottleneck", 0),
    ],
)
def test_a_sublayer_or_a_layer_counts_for_its_linears(site, module, size, share):
    assert WORTH(Placement(site, module, {size: 1})) == pytest.approx(share * math.log(2))


def test_an_unknown_module_and_nothing_at_all_are_worth_nothing():
    assert WORTH(Placement("0.mlp.up", "unheard", {"rank": 4})) == 0
    assert WORTH.of(Configuration((), 1e-3)) == 0


def test_it_survives_a_journal():
    again = Worth(**json.loads(json.dumps(WORTH.to_json())))
    placement = Placement("0.mlp.up", "lora", {"rank": 3})
    assert again(placement) == WORTH(placement)


def test_scores_of_nothing_are_no_error():
    nothing = worth_of(Scores("spt", {"0.mlp.up": 0.0}, {}), catalog.modules.all())
    assert nothing(Placement("0.mlp.up", "lora", {"rank": 3})) == 0

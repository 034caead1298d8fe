"""Names of linears in families beyond those that the discovery tests build."""

import pytest

from autopeft.sites.roles import role_of


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("attention.attn.q", "attention.query"),
        ("attention.self.query_proj", "attention.query"),
        ("layer.0.SelfAttention.k", "attention.key"),
        ("layer.1.EncDecAttention.v", "cross_attention.value"),
        ("crossattention.self.key", "cross_attention.key"),
        ("crossattention.output.dense", "cross_attention.output"),
        ("encoder_attn.out_proj", "cross_attention.output"),
        ("mixer.q_proj", "attention.query"),
        ("self_attention.query_key_value", "attention.qkv"),
        ("self_attention.dense", "attention.output"),
        ("albert_layers.0.attention.dense", "attention.output"),
        ("albert_layers.0.ffn", "mlp.up"),
        ("albert_layers.0.ffn_output", "mlp.down"),
        ("layer.2.DenseReluDense.wi_0", "mlp.gate"),
        ("layer.2.DenseReluDense.wi_1", "mlp.up"),
        ("layer.2.DenseReluDense.wo", "mlp.down"),
        ("feed_forward.output_dense", "mlp.down"),
        ("output.dense", "mlp.down"),
        ("mlp.gate_up_proj", "mlp.up"),
        ("mlp.gate", "other.mlp.gate"),
        ("mixer.in_proj", "other.mixer.in_proj"),
        ("feed_forward.key", "other.feed_forward.key"),
        ("attention.self.query_global", "other.attention.self.query_global"),
        ("dense", "other.dense"),
    ],
)
def test_role(path: str, role: str) -> None:
    assert role_of(path) == role

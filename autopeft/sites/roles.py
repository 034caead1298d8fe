"""Role of a linear in its layer, from the names that pretrained models use."""

from __future__ import annotations

import re

_CROSS = re.compile(r"cross|encdec|encoder_att", re.IGNORECASE)
_WITHIN_ATTENTION = re.compile(r"att", re.IGNORECASE)
_ONLY_IN_ATTENTION = re.compile(r"(.*\.)?([qkvo]_proj|qkv(_proj)?|Wqkv|query_key_value)")

_ATTENTION = {
    "query": r"q|query|q_proj|query_proj|q_lin|q_attn|linear_q|project_q|to_q|wq",
    "key": r"k|key|k_proj|key_proj|k_lin|linear_k|project_k|to_k|wk",
    "value": r"v|value|v_proj|value_proj|v_lin|linear_v|project_v|to_v|wv",
    "qkv": r"qkv|qkv_proj|Wqkv|c_attn|query_key_value|in_proj",
    "output": r"o|o_proj|out_proj|out_lin|Wo|wo|dense|c_proj|proj|output|linear_out|to_out",
}
_MLP = {
    "gate": r"gate_proj|wi_0|w1",
    "up": r"intermediate\.dense|intermediate_dense|up_proj|gate_up_proj|wi|wi_1|Wi|w3|fc1|fc_in"
    r"|c_fc|lin1|linear1|linear_fc1|dense_h_to_4h|ffn|layer_1|pwconv1",
    "down": r"output\.dense|output_dense|down_proj|wo|Wo|w2|fc2|fc_out"
    r"|c_proj|lin2|linear2|linear_fc2|dense_4h_to_h|ffn_output|layer_2|pwconv2",
}


def role_of(path: str) -> str:
    """Role of the linear at `path` within its layer; `other.<path>` when no rule knows it."""
    if _WITHIN_ATTENTION.search(path) or _ONLY_IN_ATTENTION.fullmatch(path):
        role = _lookup(path, _ATTENTION)
        if role:
            return f"{'cross_attention' if _CROSS.search(path) else 'attention'}.{role}"
    role = _lookup(path, _MLP)
    return f"mlp.{role}" if role else f"other.{path}"


def _lookup(path: str, table: dict[str, str]) -> str:
    """The first role of the table whose pattern is the end of the path, or an empty string."""
    for role, pattern in table.items():
        if re.fullmatch(rf"(.*\.)?({pattern})", path):
            return role
    return ""

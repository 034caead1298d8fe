"""Mamba's state-space mixers, which read some of their linears without calling them."""

from autopeft.types import Family

FAMILY = Family(
    label="Mamba",
    model_types=("mamba", "mamba2", "falcon_mamba"),
    roles={r"mixer\.in_proj": "mixer.in", r"mixer\.x_proj": "mixer.x"},
    # The scan takes the weight of dt_proj (and, fused, that of out_proj) as a plain tensor, so a
    # module on them would get no gradient; peft refuses out_proj as well.
    ignore=(r"mixer\.dt_proj", r"mixer\.out_proj"),
)

"""DeBERTa, whose attention also projects a table of relative positions."""

from autopeft.types import Family

FAMILY = Family(
    label="DeBERTa",
    model_types=("deberta", "deberta-v2"),
    # They read the table and not the batch, so configurations of one pack could not differ there.
    ignore=(r"attention\.self\.pos_(key_|query_|q_)?proj",),
)

"""Tiny random models of three architectures, built from configs."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
)

VOCABULARY = 50
CLASSES = 3


def bert(layers: int = 3) -> Any:
    """BERT, 16 wide."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=CLASSES,
    )
    return BertForSequenceClassification(config)


def gpt2(layers: int = 3) -> Any:
    """GPT-2, 16 wide, with fused query, key and value."""
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=16,
        n_layer=layers,
        n_head=2,
        n_positions=32,
        num_labels=CLASSES,
        pad_token_id=0,
        use_cache=False,
    )
    return GPT2ForSequenceClassification(config)


def llama(layers: int = 3) -> Any:
    """Llama, 16 wide, with grouped-query attention."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        num_labels=CLASSES,
        pad_token_id=0,
        use_cache=False,
    )
    return LlamaForSequenceClassification(config)


ARCHITECTURES = {"bert": bert, "gpt2": gpt2, "llama": llama}


def frozen(name: str, dtype: torch.dtype = torch.float64, layers: int = 3) -> Any:
    """A frozen model of that architecture in eval mode, its weights drawn from seed 0."""
    torch.manual_seed(0)
    model = ARCHITECTURES[name](layers).to(dtype).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model

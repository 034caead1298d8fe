"""Search PEFT configurations: accuracy against trainable parameters and peak memory."""

__version__ = "0.1.0"

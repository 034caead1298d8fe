"""PEFT module types, one file each."""

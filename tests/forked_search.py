"""Searches in processes of their own, forked from one that has imported everything once."""

from __future__ import annotations

import multiprocessing
from dataclasses import asdict
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from autopeft.search import search
from autopeft.settings import Settings
from tests.listener import Listener


def start(given: Settings, path: Path) -> BaseProcess:
    """The search, begun in a process with as many threads as this one has."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.tiny_bundle"])
    arguments = (asdict(given), path, torch.get_num_threads())
    process = context.Process(target=_search, args=arguments)
    process.start()
    return process


def _search(given: dict[str, Any], path: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    search.run(Settings.restored(given), path, Listener())

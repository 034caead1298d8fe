"""Workers of pytest-xdist beside each other: one thread each."""

from __future__ import annotations

import os

if os.environ.get("PYTEST_XDIST_WORKER"):  # before torch is imported, which reads it once
    os.environ["OMP_NUM_THREADS"] = "1"

"""plotly.js in a page: compressed within it, from plotly's site, or from a file beside it."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from typing import Literal

Carrier = Literal["inline", "cdn", "directory"]
"""How the page gets plotly.js."""
CDN = "https://cdn.plot.ly"
SCRIPT_FILE = "plotly.min.js"
SOURCES: dict[Carrier, str] = {"inline": "", "cdn": f" {CDN}", "directory": " 'self' file:"}
"""Where the page may load scripts from, beyond itself."""


@cache
def plotly_tag(plotly: Carrier) -> str:
    """The element that brings plotly.js."""
    if plotly == "directory":
        return f'<script src="{SCRIPT_FILE}"></script>'
    if plotly == "cdn":
        from plotly.offline import get_plotlyjs_version

        script = plotly_script().encode()
        integrity = base64.b64encode(hashlib.sha256(script).digest()).decode()
        source = f"{CDN}/plotly-{get_plotlyjs_version()}.min.js"
        return (
            f'<script src="{source}" integrity="sha256-{integrity}" crossorigin="anonymous">'
            "</script>"
        )
    return packed("plotly-gzip", plotly_script())


def packed(identity: str, text: str) -> str:
    """An element that holds the text compressed, as `unpacked` in `page.js` reads it.

    In base 85 (RFC 1924), as base 64 takes a fifteenth more; a comma stands for the `<`, which
    could end the element.
    """
    made = base64.b85encode(gzip.compress(text.encode(), mtime=0)).decode().replace("<", ",")
    return f'<script type="application/octet-stream" id="{identity}">{made}</script>'


def plotly_script() -> str:
    """plotly.js as the installed plotly carries it."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())

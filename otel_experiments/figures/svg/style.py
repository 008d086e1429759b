"""Colours of figures, light and dark, and the style sheets that bring them into a file or into a page.

A file has its colours written out, so that programs which know no variables of CSS show it, too. In a page they are variables
of the class `oxp`: notebooks say by an attribute or a class whether they are dark, and that has precedence over the system.
"""

from __future__ import annotations

from functools import cache
from typing import Final

PALETTE: Final = (
    ("#0b68cb", "#70b8ff"),
    ("#b7791f", "#e2b35c"),
    ("#18794e", "#4cc38a"),
    ("#8e4ec6", "#c89bff"),
    ("#c2298a", "#ff8dcc"),
    ("#0e7c86", "#4cccd6"),
    ("#c2570c", "#ff9d5c"),
    ("#6b6f00", "#c5cc4f"),
    ("#8a5a2b", "#d2a679"),
    ("#60646c", "#9ba1a8"),
)
"""Of lines, light and dark; told apart without red against green."""
NAMED: Final = {
    "page": ("#ffffff", "#15181c"),
    "ink": ("#1c2024", "#e6e8eb"),
    "soft": ("#60646c", "#9ba1a8"),
    "line": ("#e0e3e8", "#32373d"),
    "panel": ("#f6f7f9", "#1d2126"),
    "bad": ("#c62a2f", "#ff9592"),
    "good": ("#18794e", "#4cc38a"),
    "warn": ("#9a6700", "#f5c451"),
}
_COLORS: Final = {**NAMED, **{str(at): pair for at, pair in enumerate(PALETTE)}}
_DARK_PAGES: Final = (
    '[data-jp-theme-light="false"] .oxp',
    "body.vscode-dark .oxp",
    "html[theme=dark] .oxp",
)
_LIGHT_PAGES: Final = (
    '[data-jp-theme-light="true"] .oxp',
    "body.vscode-light .oxp",
    "html[theme=light] .oxp",
)
"""How JupyterLab and what nbconvert writes, VS Code and Colab say which they are."""
_SHAPES: Final = (
    "{0} text{{font:11px system-ui,sans-serif;stroke:none}}{0} .oxp-title{{font-weight:600;font-size:12px}}"
    "{0} polyline{{fill:none;stroke-width:1.5;stroke-linejoin:bevel}}"
    "{0} .oxp-thin{{stroke-width:1;opacity:.7}}{0} .oxp-wide{{stroke-width:5;opacity:.5;stroke-linecap:round}}"
    "{0} .oxp-dashed{{stroke-dasharray:5 3}}{0} .oxp-area{{opacity:.25;stroke-width:6;stroke-linejoin:round}}"
    "{0} .oxp-mark{{stroke-dasharray:4 3}}{0} .oxp-lost{{fill:none;stroke-width:1.6}}"
)


@cache
def file_style() -> str:
    """Return the sheet for an SVG file, with its colours written out."""
    light = "".join(f".oxp {rule}" for rule in _rules(0))
    dark = "".join(f".oxp {rule}" for rule in _rules(1))
    return f"{_SHAPES.format('.oxp')}{light}@media(prefers-color-scheme:dark){{{dark}}}"


@cache
def page_style() -> str:
    """Return the sheet for figures inside a page: variables, light or dark as the notebook or else the system is."""
    light = ";".join(f"--oxp-{name}:{pair[0]}" for name, pair in _COLORS.items())
    dark = ";".join(f"--oxp-{name}:{pair[1]}" for name, pair in _COLORS.items())
    rules = "".join(
        f".oxp .oxp-{kind}-{name}{{{what}:var(--oxp-{name})}}"
        for kind, what in (("s", "stroke"), ("f", "fill"))
        for name in _COLORS
    )
    return (
        f".oxp{{{light}}}@media(prefers-color-scheme:dark){{.oxp{{{dark}}}}}"
        f"{','.join(_LIGHT_PAGES)}{{{light}}}{','.join(_DARK_PAGES)}{{{dark}}}"
        f"{_SHAPES.format('.oxp')}{rules}"
    )


def _rules(at: int) -> list[str]:
    return [
        f".oxp-{kind}-{name}{{{what}:{pair[at]}}}"
        for kind, what in (("s", "stroke"), ("f", "fill"))
        for name, pair in _COLORS.items()
    ]


def color_of(number: int) -> str:
    """Return the name of a colour of the palette, which begins again after its last."""
    return str(number % len(PALETTE))

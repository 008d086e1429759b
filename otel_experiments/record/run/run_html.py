"""A run that is recorded, as HTML for the cell of a notebook: what its process knows without reading the store."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Final

from otel_experiments.codec.text import text_of
from otel_experiments.figures import panel as html

_MAX_ROWS: Final = 20


def live_run_html(
    run_id: str,
    name: str,
    experiment: str,
    state: str,
    params: Mapping[str, object],
    refused: Mapping[str, int],
) -> str:
    """Return the run's name, state and params; what it has recorded is read with `ox.run`."""
    parts = [
        html.head(
            name, badges=[html.state_badge(state)], facts=[html.code(run_id), f"experiment {experiment}"]
        ),
        html.line("What it recorded:", html.code(f'ox.run("{run_id[:8]}")')),
    ]
    if refused:
        rows = [(html.toned(f"{count:,}", "warn"), kind) for kind, count in refused.items()]
        parts += [html.heading("not recorded"), html.table([html.Column("", is_number=True), ""], rows)]
    if params:
        shown = {key: text_of(value) for key, value in itertools.islice(params.items(), _MAX_ROWS)}
        parts += [html.heading("params"), html.pairs(shown, left_out=len(params) - len(shown))]
    return html.panel(*parts)

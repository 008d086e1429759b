"""What a flush reached, as HTML for the cell of a notebook."""

from __future__ import annotations

from collections.abc import Mapping

from otel_experiments.figures import panel as html


def flush_html(lost: Mapping[str, int], store_error: str, *, is_stored: bool, is_exported: bool) -> str:
    """Return whether everything is stored and sent, and what recording could not keep."""
    badges = [html.badge("stored", "good") if is_stored else html.badge("not stored", "bad")]
    if not is_exported:
        badges.append(html.badge("not sent", "warn"))
    parts = [html.head("Flush", badges=badges)]
    if store_error:
        parts.append(html.line(html.toned(store_error, "bad")))
    if lost:
        rows = [(html.toned(f"{count:,}", "warn"), reason) for reason, count in sorted(lost.items())]
        parts += [
            html.heading("not recorded as given"),
            html.table([html.Column("", is_number=True), ""], rows),
        ]
    return html.panel(*parts)

"""How much telemetry of each service there is, printed: for `attach` and `show`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.model.attachment import TelemetryGroup


def print_groups(groups: Sequence[TelemetryGroup]) -> None:
    """Print how much telemetry of each service there is."""
    rows = [
        [
            fmt.clean(group.service) or "(no service)",
            f"{group.span_count:,}",
            f"{group.log_record_count:,}",
            f"{group.data_point_count:,}",
            fmt.age((time.time_ns() - group.last_ns) / 1e9),
        ]
        for group in groups
    ]
    layout = [
        Column("service", is_elastic=True, max_width=40),
        Column("spans", is_right=True),
        Column("log records", is_right=True),
        Column("data points", is_right=True),
        Column("age", is_right=True),
    ]
    print_table(make_console(), layout, rows)

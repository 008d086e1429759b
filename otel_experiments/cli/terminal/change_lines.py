"""What came to a run as lines of text, in the order of time: one for all metrics of a step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.log_lines import record_text
from otel_experiments.model.changes import Changes
from otel_experiments.model.run import RunState
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.query.plain_changes import logged_in, printed

_WARN: Final = 13
_ERROR: Final = 17
"""SeverityNumber of logs.proto."""


class ChangeLine(NamedTuple):
    """A line: when it happened, what it is, and a colour of click where it is to be seen."""

    time_ns: int
    kind: str
    text: str
    colour: str | None = None


def change_lines(
    found: Changes, *, before: RunState | None, kinds: frozenset[str], now_ns: int
) -> list[ChangeLine]:
    """Return the lines of what came, by time; what happened to the run as a whole has the time `now_ns`."""
    lines: list[ChangeLine] = []
    if "points" in kinds:
        lines += _point_lines(found)
    if "spans" in kinds:
        lines += map(_span_line, found.spans)
    if "output" in kinds:
        lines += [
            ChangeLine(
                line.time_ns, "output", fmt.clean(line.text), "red" if line.stream == "stderr" else None
            )
            for line in printed(found)
        ]
    if "logs" in kinds:
        for record in logged_in(found):
            who = fmt.clean(record.event_name or record.scope.name or "-")
            severe = record.severity_number
            colour = "red" if severe >= _ERROR else "yellow" if severe >= _WARN else None
            level = fmt.clean(record.severity_text or "-")
            lines.append(
                ChangeLine(record.time_ns, "log", f"{level}  {who}  {fmt.clean(record_text(record))}", colour)
            )
    lines.sort(key=lambda line: line.time_ns)
    if found.is_reset:
        text = "something that was shown is gone from the store: the run is shown from its start"
        lines.insert(0, ChangeLine(now_ns, "reset", text, "yellow"))
    if "losses" in kinds:
        lines += [
            ChangeLine(
                now_ns,
                "lost",
                f"{loss.count:,} {fmt.clean(loss.kind)} {fmt.clean(loss.name)}".rstrip(),
                "yellow",
            )
            for loss in found.losses
        ]
    if "state" in kinds and (found.state != before or found.run is None):
        lines.append(_state_line(found, now_ns))
    return lines


def moment(time_ns: int) -> str:
    """Return a point in time as the clock on the wall has it."""
    seconds, rest_ns = divmod(time_ns, 10**9)
    try:
        return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest_ns // 10**6:03d}"
    except (OverflowError, ValueError, OSError):  # a time that a program made up
        return "--:--:--.---"


def _point_lines(found: Changes) -> Iterator[ChangeLine]:
    """Yield a line for all metrics that have one step, time, phase and rank."""
    groups: dict[tuple[int, float, str, int], list[str]] = {}
    for new in found.points:
        key, points = new.key, new.points
        for step, time_ns, value in zip(points.steps, points.times_ns, points.values, strict=True):
            shown = f"{fmt.clean(key.name)} {fmt.number(value)}"
            groups.setdefault((time_ns, step, key.phase, key.rank), []).append(shown)
    for (time_ns, step, phase, rank), values in groups.items():
        parts = [f"step {fmt.step(step)}"]
        parts += [fmt.clean(phase)] if phase else []
        parts += [f"rank {rank}"] if rank else []
        yield ChangeLine(time_ns, "points", "  ".join([*parts, *values]))


def _span_line(span: Span) -> ChangeLine:
    name = fmt.clean(span.name)
    if span.end_ns is None:
        return ChangeLine(span.start_ns, "opened", name, "cyan")
    took = fmt.duration((span.end_ns - span.start_ns) / 1e9)
    if span.status is StatusCode.ERROR:
        why = f": {fmt.clean(span.status_message)}" if span.status_message else ""
        return ChangeLine(span.end_ns, "failed", f"{name}  {took}{why}", "red")
    return ChangeLine(span.end_ns, "ended", f"{name}  {took}")


def _state_line(found: Changes, now_ns: int) -> ChangeLine:
    run, state = found.run, found.state
    if run is None:
        return ChangeLine(now_ns, "state", "purged: the run is gone from the store", "yellow")
    text = f"{fmt.clean(run.name)}  {run.run_id[:12]}  {state}"
    if state is RunState.LOST:
        text += ": its process is gone"
    elif why := run.error_type or run.reason:
        text += f": {fmt.clean(why)}"
    is_bad = state in {RunState.FAILED, RunState.LOST}
    return ChangeLine(
        now_ns, "state", text, "red" if is_bad else "green" if state is RunState.SUCCEEDED else "cyan"
    )

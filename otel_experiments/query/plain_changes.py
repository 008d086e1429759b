"""What came to a run as plain values that JSON can hold, an item each: the lines of `tail --json`.

These shapes are documented in docs/reference/cli.md; keys are only ever added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, get_args

from otel_experiments.model.changes import Changes
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import RunState
from otel_experiments.model.span import SCOPE_NAME
from otel_experiments.query.json_values import Plain, plain_number, plain_step
from otel_experiments.query.output_view import OutputLine, OutputView
from otel_experiments.query.plain import plain_span
from otel_experiments.query.plain_page import plain_line, plain_record
from otel_experiments.semconv.events import ML_RUN_OUTPUT

ChangeKind = Literal["points", "spans", "logs", "output", "losses", "state"]
"""What can be followed by itself."""
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = get_args(ChangeKind)


def plain_changes(
    run_id: str, found: Changes, *, before: RunState | None, kinds: Iterable[str] = CHANGE_KINDS
) -> Iterator[dict[str, Plain]]:
    """Yield what came, an item each.

    Args:
        run_id: the run.
        found: what came to it.
        before: its state before that; None: nothing was said of it yet.
        kinds: which kinds of change.
    """
    if found.is_reset:
        yield {"change": "reset", "run_id": run_id}
    items: dict[ChangeKind, Iterator[dict[str, Plain]]] = {
        "spans": _spans(found),
        "points": _points(found),
        "output": ({"change": "output", **plain_line(line)} for line in printed(found)),
        "logs": ({"change": "log_record", "record": plain_record(one)} for one in logged_in(found)),
        "losses": (
            {"change": "loss", "kind": one.kind, "name": one.name or None, "count": one.count}
            for one in found.losses
        ),
        "state": _state(found, before),
    }
    wanted = frozenset(kinds)
    for kind, those in items.items():
        if kind in wanted:
            for one in those:
                yield {"change": one["change"], "run_id": run_id, **one}


def _spans(found: Changes) -> Iterator[dict[str, Plain]]:
    for span in found.spans:
        yield {"change": "span_opened" if span.end_ns is None else "span_ended", "span": plain_span(span)}


def _points(found: Changes) -> Iterator[dict[str, Plain]]:
    for new in found.points:
        place: dict[str, Plain] = {"name": new.key.name, "phase": new.key.phase or None, "rank": new.key.rank}
        columns = (new.points.steps, new.points.times_ns, new.points.values)
        for step, time_ns, value in zip(*columns, strict=True):
            yield {
                "change": "point", **place,
                "step": plain_step(step), "time_unix_nano": time_ns, "value": plain_number(value),
            }  # fmt: skip


def _state(found: Changes, before: RunState | None) -> Iterator[dict[str, Plain]]:
    run = found.run
    if run is None:
        yield {"change": "state", "name": None, "state": "purged", "reason": None, "error_type": None}
    elif found.state != before:
        yield {
            "change": "state",
            "name": run.name,
            "state": str(found.state),
            "reason": run.reason or None,
            "error_type": run.error_type or None,
        }


def printed(found: Changes) -> list[OutputLine]:
    """Return the lines that processes of the run printed since; what they printed before is not missing."""
    records = [one for one in found.log_records if one.event_name == ML_RUN_OUTPUT.name]
    return OutputView(records, is_part=True).lines()


def logged_in(found: Changes) -> list[LogRecord]:
    """Return the records of the program and its libraries: all but what recording writes itself."""
    return [one for one in found.log_records if one.scope.name != SCOPE_NAME or not one.event_name]

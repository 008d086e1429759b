"""The members of a run that other parts of this package use, and users do not."""

from __future__ import annotations

from typing import Final

FOR_THE_MACHINE: Final = frozenset(
    {
        "abandon",
        "announce",
        "beat",
        "collect_metrics",
        "context_here",
        "count_ended_span",
        "count_started_span",
        "end_by_signal",
        "end_unfinished",
        "gate",
        "guard",
        "hand_over_measurements",
        "instruments",
        "is_in_block",
        "is_inherited",
        "last_exception",
        "leave",
        "loops",
        "note_checkpoint",
        "note_signal",
        "pipeline",
        "providers",
        "record_duration",
        "reset_in_child",
        "stay",
        "take_over",
        "take_step_index",
        "trace_size",
    }
)
"""Not public: `dir(run)` and the reviewed list of public names leave them out."""

"""The end of a process that sends: how long it goes on while an endpoint takes requests, and what it says of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.record.otlp.counts import counted
from otel_experiments.record.otlp.sender import SignalSender

PROGRESS_S: Final = 1.0
"""How often it is seen whether an endpoint has taken anything."""


def go_on_while_taken(
    senders: Sequence[SignalSender], until_s: float, wait: Callable[[dict[SignalSender, float]], None]
) -> None:
    """Wait on, step by step, for the senders whose endpoint has taken a request in the last step.

    Args:
        senders: all of them.
        until_s: when it ends in any case, by `time.monotonic`.
        wait: waits for senders, for each so many seconds at most.
    """
    waiting = list(senders)
    taken = dict.fromkeys(waiting, -1)
    while (left_s := until_s - time.monotonic()) > 0:
        waiting = [
            sender
            for sender in waiting
            if not (sender.is_at_rest or sender.is_suspect) and sender.taken_requests > taken[sender]
        ]
        if not waiting:
            return
        taken = {sender: sender.taken_requests for sender in waiting}
        wait(dict.fromkeys(waiting, min(left_s, PROGRESS_S)))


def tell_unsent(
    senders: Sequence[SignalSender], kept: str, *, is_kept: bool, is_whole: bool, store_option: str = ""
) -> None:
    """Say what was not sent, and what sends it: a line an endpoint, and one more of what it refused for good.

    Args:
        senders: all of them.
        kept: where else the items are.
        is_kept: a store has them, from which a push sends them.
        is_whole: everything that was recorded is stored, so that nothing waits in a journal.
        store_option: what a command needs behind it to find the store, with a space before it.
    """
    kept = kept.capitalize()
    again = f"{kept}; `otel-experiments push RUN{store_option}` sends a whole run again" if is_kept else kept
    waits = kept if not is_kept else f"`otel-experiments push --unsent{store_option}` sends it"
    if is_kept:
        kept += f"; `otel-experiments push --unsent{store_option}` sends them"
    if not is_whole:
        kept += ", with what waits in the journal and is not counted here"
    for address in dict.fromkeys(sender.address for sender in senders):
        mine = [sender for sender in senders if sender.address == address and not sender.is_off]
        counts: dict[str, int] = {}
        lost: dict[str, int] = {}
        for sender in mine:
            counts |= sender.waiting.kept_counts
            lost |= sender.waiting.lost_counts
        details = [_reason(sender) for sender in mine if sender.waiting.kept_counts]
        if lost:
            why = "; ".join(dict.fromkeys(sender.said.loss for sender in mine if sender.waiting.lost_counts))
            tell(logger, "OTLP: %s did not take %s for good (%s). %s.", address, counted(lost), why, again)
        if counts:
            tell(
                logger,
                "OTLP: %s did not take %s (%s). %s.",
                address,
                counted(counts),
                "; ".join(dict.fromkeys(details)),
                kept,
            )
        elif not is_whole:
            tell(
                logger,
                "OTLP: %s did not get what waits in the journal, since there was no time to store it. %s.",
                address,
                waits,
            )


def _reason(sender: SignalSender) -> str:
    is_aside_alone = sender.waiting.is_set_aside and not sender.waiting.is_in_memory
    return (sender.said.denial if is_aside_alone else sender.last_detail) or "there was no time"

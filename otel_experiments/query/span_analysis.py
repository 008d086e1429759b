"""What many spans say together: how long they took, how often they failed, how many tokens they took and what those cost."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from otel_experiments._short_repr import fields_repr
from otel_experiments.analysis.latency import Latency, measure_latency
from otel_experiments.analysis.reliability import Reliability, measure_reliability
from otel_experiments.analysis.tokens import Cost, ModelCall, PriceTable, Tokens, measure_cost, measure_tokens
from otel_experiments.analysis.windows import last_of, length_ns, sliding
from otel_experiments.errors import AnalysisError
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.semconv import attributes as attr

Prices = PriceTable | Mapping[str, object] | str | os.PathLike[str]
"""A price table, what makes one, or the path of a file that holds one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What many spans say together.

    Attributes:
        count: how many spans there are, open ones among them.
        names: how many there are of each name, the most frequent first.
        first_ns: when the first one started, in nanoseconds since the Unix epoch; None without a span.
        last_ns: when the last one started or ended; None without a span.
        latency: how long the ended ones took.
        reliability: how often an ended one was no error; open ones are not judged.
        tokens: how many tokens requests to language models took.
        cost: what those cost; None where neither prices nor an attribute with the cost were given.
    """

    count: int
    names: Mapping[str, int]
    first_ns: int | None
    last_ns: int | None
    latency: Latency
    reliability: Reliability
    tokens: Tokens
    cost: Cost | None

    @property
    def duration_s(self) -> float:
        """Seconds from the first start to the last end; 0 without a span."""
        if self.first_ns is None or self.last_ns is None:
            return 0.0
        return (self.last_ns - self.first_ns) / 1e9

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanWindow:
    """The spans that started in one window of time.

    Attributes:
        start_ns: where it begins, in nanoseconds since the Unix epoch.
        end_ns: where it ends; what starts then is in the next one.
        spans: the spans, by start.
    """

    start_ns: int
    end_ns: int
    spans: Sequence[Span]

    def analysis(self, *, prices: Prices | None = None, cost_attribute: str | None = None) -> Analysis:
        """Return what the spans of the window say together.

        Args:
            prices: as for `SpansView.analysis`.
            cost_attribute: as there.

        Raises:
            PriceTableError: the price table cannot be used.
        """
        return analyse(self.spans, prices=prices, cost_attribute=cost_attribute)

    def __repr__(self) -> str:
        return fields_repr(self)


def analyse(spans: Iterable[Span], *, prices: Prices | None, cost_attribute: str | None) -> Analysis:
    """Return what spans say together.

    Args:
        spans: the spans, in any order.
        prices: what models cost.
        cost_attribute: the attribute in which the program recorded what a request cost.
    """
    names: Counter[str] = Counter()
    durations_ns: list[int] = []
    successes: list[bool | None] = []
    calls: list[ModelCall] = []
    first_ns = last_ns = None
    for span in spans:
        names[span.name] += 1
        first_ns = span.start_ns if first_ns is None else min(first_ns, span.start_ns)
        end_ns = span.start_ns if span.end_ns is None else span.end_ns
        last_ns = end_ns if last_ns is None else max(last_ns, end_ns)
        successes.append(None if span.end_ns is None else span.status is not StatusCode.ERROR)
        if span.end_ns is not None:
            durations_ns.append(span.end_ns - span.start_ns)
        call = _call_of(span, cost_attribute)
        if call is not None:
            calls.append(call)
    table = None if prices is None and cost_attribute is None else _table(prices)
    return Analysis(
        count=names.total(),
        names=dict(names.most_common()),
        first_ns=first_ns,
        last_ns=last_ns,
        latency=measure_latency(durations_ns),
        reliability=measure_reliability(successes),
        tokens=measure_tokens(calls),
        cost=None if table is None else measure_cost(calls, table),
    )


def windows_of(spans: Sequence[Span], width: str, step: str | None) -> list[SpanWindow]:
    """Return windows that slide over the starts of spans; those without a span are left out."""
    ordered = sorted(spans, key=_start_of)
    times_ns = [span.start_ns for span in ordered]
    found = sliding(times_ns, _length(width), step=None if step is None else _length(step))
    return [
        SpanWindow(start_ns=one.start_ns, end_ns=one.end_ns, spans=ordered[one.first : one.last])
        for one in found
    ]


def last_window(spans: Sequence[Span], last: str | int) -> SpanWindow:
    """Return the spans of the last minutes before the last start, or the last so many."""
    ordered = sorted(spans, key=_start_of)
    if isinstance(last, str):
        kept = ordered[last_of([span.start_ns for span in ordered], _length(last))]
    elif last < 1:
        raise AnalysisError(
            what="A window holds something",
            found=f"the last {last} spans were asked for",
            fix="Give 1 or more.",
        )
    else:
        kept = ordered[-last:]
    start_ns, end_ns = (kept[0].start_ns, kept[-1].start_ns + 1) if kept else (0, 0)
    return SpanWindow(start_ns=start_ns, end_ns=end_ns, spans=kept)


def _start_of(span: Span) -> int:
    return span.start_ns


def _length(text: str) -> int:
    length = length_ns(text)
    if length is None:
        raise AnalysisError(
            what="A window has a length of time",
            found=f"{text!r} is none",
            fix='Give a number above 0 and a unit, such as "250ms", "90s", "5m", "1.5h" or "2d".',
        )
    return length


def _table(prices: Prices | None) -> PriceTable:
    if isinstance(prices, PriceTable):
        return prices
    if isinstance(prices, str | os.PathLike):
        return PriceTable.from_file(prices)
    return PriceTable(prices or {})


def _call_of(span: Span, cost_attribute: str | None) -> ModelCall | None:
    """Return what a span says as a request to a language model; None where it is none."""
    held = span.attributes
    if not any(key in held for key in _OF_A_CALL) and (cost_attribute is None or cost_attribute not in held):
        return None
    model = held.get(attr.GEN_AI_RESPONSE_MODEL) or held.get(attr.GEN_AI_REQUEST_MODEL)
    cost = held.get(cost_attribute) if cost_attribute is not None else None
    return ModelCall(
        model if isinstance(model, str) else "",
        _count(held.get(attr.GEN_AI_USAGE_INPUT_TOKENS)),
        _count(held.get(attr.GEN_AI_USAGE_OUTPUT_TOKENS)),
        float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None,
    )


_OF_A_CALL = (
    attr.GEN_AI_USAGE_INPUT_TOKENS,
    attr.GEN_AI_USAGE_OUTPUT_TOKENS,
    attr.GEN_AI_RESPONSE_MODEL,
    attr.GEN_AI_REQUEST_MODEL,
)


def _count(value: object) -> int | None:
    """Return a number of tokens; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return int(value)

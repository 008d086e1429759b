"""What a span by our decorator costs, beside the SDK's own with a batch processor; and a disabled decorator."""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Iterator

from measure import Figure, Options, alternate, each_call_us, folder, main, percentile
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import otel_experiments as ox


class _Nowhere(SpanExporter):
    def export(self, spans):  # noqa: ARG002 - the SDK's interface
        return SpanExportResult.SUCCESS


@ox.trace
def _decorated() -> None:
    return None


def _plain() -> None:
    return None


def _us(call, count: int) -> float:
    return timeit.timeit(call, number=count) / count * 1e6


def figures(options: Options) -> Iterator[Figure]:
    rounds, count, burst = (9, 2_000, 400) if options.is_quick else (25, 5_000, 400)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(_Nowhere(), max_queue_size=65_536))
    tracer = provider.get_tracer("bench")

    def with_sdk() -> None:
        with tracer.start_as_current_span("_decorated"):
            pass

    with folder() as path:
        ox.configure(store=path / "x.db")
        with ox.start_run("spans") as run:
            # Bursts, with time to settle between them: what the caller pays, without the thread behind it.
            def ours() -> float:
                run.flush()
                return percentile(each_call_us(lambda _: _decorated(), burst), 0.5)

            def theirs() -> float:
                provider.force_flush()
                return percentile(each_call_us(lambda _: with_sdk(), burst), 0.5)

            found, sdk = alternate(rounds, ours, theirs)
        ox.shutdown()
    ratio = statistics.median(found) / statistics.median(sdk)
    yield Figure(
        "a span opened and closed by our decorator, p50", "us", found,
        limits={"SDK start_as_current_span, batch processor": statistics.median(sdk)},
        target="<= 1.5 x SDK", is_reached=ratio <= 1.5, note=f"{ratio:.2f} x the SDK's",
    )  # fmt: skip

    with folder() as path:
        ox.configure(store=path / "x.db", enabled=False)
        found, bare = alternate(rounds, lambda: _us(_decorated, count * 10), lambda: _us(_plain, count * 10))
        ox.shutdown()
    cost = [whole - call for whole, call in zip(found, bare, strict=True)]
    yield Figure(
        "a disabled decorator, beyond the bare call", "us", cost,
        limits={"bare call": statistics.median(bare)},
        target="<= 0.4 us", is_reached=statistics.median(cost) <= 0.4,
    )  # fmt: skip
    provider.shutdown()


if __name__ == "__main__":
    main(figures)

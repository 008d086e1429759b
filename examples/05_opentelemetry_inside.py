"""A run is a trace: any OpenTelemetry code that works while it is current lands inside it.

The run's id is its trace id; spans of a library, a counter and a log event come back out of the store:

    the run's id is its trace id: True
    spans: run examples > read the data
    counter: 128 samples
    event: dataset.checked {'rows': 128}
"""

from opentelemetry import trace

import otel_experiments as ox


def library_code(tracer: trace.Tracer) -> int:
    """Work as a library does that knows nothing of experiments."""
    with tracer.start_as_current_span("read the data", attributes={"rows": 128}):
        return 128


with ox.start_run("plain-otel", experiment="examples") as run:
    rows = library_code(run.tracer_provider.get_tracer("a.library"))
    run.meter.create_counter("dataset.samples", unit="{sample}").add(rows)
    run.emit("dataset.checked", {"rows": rows})

stored = ox.run("plain-otel")
spans = list(stored.spans)
print("the run's id is its trace id:", {span.trace_id for span in spans} == {stored.id})
print("spans:", " > ".join(span.name for span in spans))
(counter,) = [point for point in stored.instrument_points if point.name == "dataset.samples"]
print(f"counter: {counter.value} samples")
for record in stored.events("dataset.checked"):
    print("event:", record.event_name, record.body)

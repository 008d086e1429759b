"""A training in several stages, on scikit-learn: epochs, steps, an evaluation, a checkpoint, a span of another library."""

import json
import math
from pathlib import Path

from opentelemetry import trace
from sklearn.datasets import make_classification
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

import otel_experiments as ox

other_library = trace.get_tracer("other.library", "1.2.3", schema_url="https://example.com/schemas/1")

with ox.start_run(
    "stages", experiment="end-to-end", config={"alpha": 1e-4, "layers": [3, 5]}, tags={"kind": "whole"}
) as run:
    with run.stage("load") as load:
        x, y = make_classification(400, random_state=7)
        load.set_attribute("app.rows", 400)
    model = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=7)
    with run.stage("fit"):
        for epoch in run.epochs(3):
            for step in run.steps(range(0, 400, 50), spans=True):
                batch = slice(step, step + 50)
                model.partial_fit(x[batch], y[batch], classes=[0, 1])
                run.count(samples=50)
                loss = float(log_loss(y[batch], model.predict_proba(x[batch])))
                run.log({"loss": loss, "step/half": step / 2}, step=epoch * 400 + step, phase="train")
            with run.evaluation("held-out", dataset="made", split="test"):
                run.log({"loss": float(log_loss(y, model.predict_proba(x)))}, step=epoch, phase="validation")
    with other_library.start_as_current_span(
        "GET /weights",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "text": "ß \U0001f9ea",
            "numbers": [1, 2, 2**60],
            "floats": [0.1, -0.0, 1e300],
            "flags": [True, False],
            "empty": "",
            "int": -5,
        },
        links=[trace.Link(run.otel_span.get_span_context(), {"why": "a link"})],
    ) as span:
        span.add_event("cache.miss", {"key": "weights", "size": 3}, timestamp=1_700_000_000_123_456_789)
        try:
            int("not there")
        except ValueError as error:
            span.record_exception(error)
            span.set_status(trace.Status(trace.StatusCode.ERROR, "no number"))
    run.log({"odd": math.inf}, step=0)
    run.log({"odd": -math.inf}, step=0.5)
    run.log({"odd": math.nan}, step=1)
    run.log({"odd": 5e-324}, step=2**53)
    with run.checkpoint("last") as checkpoint:
        path = Path("weights.json")
        path.write_text(json.dumps(model.coef_.tolist()), encoding="utf-8")
        checkpoint.wrote(path)

"""Searches made of objects: `ox.runs((Param("lr") < 1e-3) & (Metric("loss").min < 0.1))`."""

from otel_experiments.query.search.build import Condition, Field, Number
from otel_experiments.query.search.named import Artifact, Metric, Param, Run, Span, Summary, Tag

__all__ = ["Artifact", "Condition", "Field", "Metric", "Number", "Param", "Run", "Span", "Summary", "Tag"]

# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""The vocabulary: every name that this package gives to an attribute, span, metric, event or entity.

`attributes` holds plain constants and is cheap to import; `values` the enums; `spans`, `metrics`, `events` and
`entities` one definition a constant; `registry` the attributes' definitions by name.
"""

from typing import Final

SCHEMA_URL: Final = "https://otel-experiments.dev/schemas/ml/0.1.0"
"""Schema that our resources and scopes name, version 0.1.0."""

NAMESPACE: Final = "ml"
"""Root of all names that are ours."""

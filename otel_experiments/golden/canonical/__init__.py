"""From captured spans to the canonical form that two runs are compared in."""

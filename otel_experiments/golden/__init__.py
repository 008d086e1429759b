"""Golden traces: canonical form, matching, findings, policy, file. Standard library and model only."""

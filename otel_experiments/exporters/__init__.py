"""OpenTelemetry exporters that keep what they are given in a store."""

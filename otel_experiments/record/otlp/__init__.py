"""Sending what was recorded to an OTLP endpoint, off the training thread."""

"""Local-first ML experiment tracking whose native data model is OpenTelemetry."""

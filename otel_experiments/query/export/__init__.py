"""What is stored, written into files: rows of runs, points and spans as text, and everything as OTLP."""

"""Statistics over plain columns of numbers. Standard library only; knows no store, no run and no telemetry."""

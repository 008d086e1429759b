"""Points of metrics, instruments, and anomalies among the points."""

"""Where telemetry is kept. The only package that says sqlite3; knows no OpenTelemetry."""

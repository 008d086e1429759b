"""What every other part speaks: frozen dataclasses made of the standard library.

Nothing here reads a file, opens a connection or knows OpenTelemetry's SDK, so that golden comparison,
queries and the store can be tested without any of them.
"""

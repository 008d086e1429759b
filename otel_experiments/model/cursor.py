"""What is said with a cursor: apart from what comes of it, since every store needs these when it is imported."""

from typing import Final

NOW: Final = "now"
"""What is said instead of a cursor by whoever wants nothing that is there already."""
LIMIT: Final = 10_000
"""How many points, spans and log records come at once where nothing else is asked."""

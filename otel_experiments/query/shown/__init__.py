"""How what is read shows itself: as figures, and as HTML in a notebook."""

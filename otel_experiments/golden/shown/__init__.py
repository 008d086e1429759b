"""What a comparison found, as figures and as HTML for a notebook."""

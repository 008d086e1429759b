"""Search expressions: from text to the model's search tree and back, and what a search is answered with."""

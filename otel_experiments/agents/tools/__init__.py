"""The tools, a module for each thing that is looked at. `all.py` has the list."""

"""What all runs of a process share, and the providers of one run over it."""

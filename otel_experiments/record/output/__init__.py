"""What a run's processes write to standard output and standard error: copied line by line into the run."""

"""What a process is and what happens to it: signals, forks, threads. The standard library alone; knows nothing of runs."""

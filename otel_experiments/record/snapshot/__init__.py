"""What a run's machine, code and packages were when it started: gathered behind the training, written as one event."""

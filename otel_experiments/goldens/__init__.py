"""Golden files on disk and the checks against them: what the pytest plugin and the command line share."""

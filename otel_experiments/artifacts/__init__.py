"""The bytes of artifacts: content-addressed, in a folder beside the store or at an URL. Knows no store and no run."""

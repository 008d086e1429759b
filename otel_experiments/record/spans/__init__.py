"""The spans of a run: how scopes open and end them, and how they reach the journal."""

"""Public helps for tests of code that records: clocks, ids, recording in memory, the live check."""

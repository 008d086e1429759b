"""What every store means by a run's state, a span's form, a summary, a band and a search: pure, shared by all of them."""

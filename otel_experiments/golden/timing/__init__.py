"""Comparison of times: samples of stages from several runs, their model, the power of the test, one verdict."""

"""The exit code that each kind of error stands for, on which scripts rely."""

import pytest

from otel_experiments import errors
from otel_experiments.cli.root import exit_code_of


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("OtelExperimentsError", 1), ("ConfigurationError", 2), ("StoreError", 3), ("StoreNotFoundError", 3), ("JournalError", 3),
        ("NewerJournalError", 3), ("RunError", 4), ("RunNotFoundError", 4), ("QueryError", 5), ("MissingPackageError", 6),
        ("MissingToolError", 7),
    ],
)  # fmt: skip
def test_an_error_of_each_kind_has_its_exit_code(kind, code):
    """What is wrong with the store and its journals is 3, with a name 4, with a question 5."""
    error = errors.__dict__[kind].__new__(errors.__dict__[kind])

    assert exit_code_of(error) == code

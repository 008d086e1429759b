"""Settings: argument over environment over default, and clear words about what cannot be used."""

import re

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, NotAStoreError, StorePathError
from otel_experiments.record.base.settings import SETTINGS, Settings


def test_arguments_win_over_the_environment_and_that_over_defaults():
    """Each setting is looked for in this order."""
    environ = {"OTEL_EXPERIMENTS_STORE": "env.db", "OTEL_EXPERIMENTS_HEARTBEAT": "7"}

    found = Settings.resolve(environ, store="arg.db")

    assert (found.store, found.heartbeat_s, found.experiment) == ("arg.db", 7.0, "default")


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("OTEL_EXPERIMENTS_ENABLED", "maybe"),
        ("OTEL_EXPERIMENTS_DURABILITY", "paper"),
        ("OTEL_EXPERIMENTS_DRAIN", "0"),
        ("OTEL_EXPERIMENTS_EXIT_TIMEOUT", "soon"),
        ("OTEL_EXPERIMENTS_ON_ERROR", "explode"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_with_its_value(variable, text):
    """The error says which variable, what it holds, and what it is for."""
    with pytest.raises(ConfigurationError, match=re.escape(f"{variable}={text!r} cannot be used")):
        Settings.resolve({variable: text})


@pytest.mark.parametrize(
    ("name", "value"),
    [("enabled", 1), ("drain_s", "fast"), ("store", ""), ("exit_timeout_s", -1.0), ("durability", "x")],
)
def test_an_argument_that_cannot_be_used_is_named_with_its_value(name, value):
    """The same for arguments."""
    with pytest.raises(ConfigurationError, match=re.escape(f"{name}={value!r} cannot be used")):
        Settings.resolve({}, **{name: value})


def test_an_unknown_setting_lists_the_known_ones():
    """A typo is found at once, and the one that is meant comes first."""
    with pytest.raises(
        ConfigurationError, match=r"no setting 'stroe'\.\n  Did you mean store\? Settings: store, "
    ):
        Settings.resolve({}, stroe="x")
    with pytest.raises(ConfigurationError, match=r"no setting 'xyzzy'\.\n  Settings: store, "):
        Settings.resolve({}, xyzzy="x")


def test_every_setting_has_a_variable_and_a_sentence():
    """The table is what the reference page is made of."""
    assert all(
        s.variable.startswith("OTEL_EXPERIMENTS_") and s.brief.endswith(".") for s in SETTINGS.values()
    )


def test_a_store_that_can_never_work_is_refused_before_training(tmp_path):
    """A directory and a file of another kind raise at configure, and are left as they are."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("these are notes, not a database, and long enough to show it" * 20)

    with pytest.raises(StorePathError, match="directory"):
        ox.configure(store=tmp_path / "folder")
    with pytest.raises(NotAStoreError, match="left as it is"):
        ox.configure(store=tmp_path / "notes.txt")

    assert (tmp_path / "notes.txt").read_text().startswith("these are notes")

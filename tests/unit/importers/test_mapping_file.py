"""A mapping that a user writes: what it adds, and what is said of a wrong one."""

import os
import stat

import pytest

from otel_experiments.errors import MappingFileError
from otel_experiments.importers.otlp.emitters import Emitters, mapping_path, use_mapping
from otel_experiments.model.span import Event, Resource, Span

ACME = """
[[emitter]]
name = "acme"
run_id = ["resource:acme.job", "header:X-Acme-Job"]
run_name = ["attribute:acme.title"]
experiment = ["resource:acme.project"]
rank = ["resource:acme.worker"]

[step]
attributes = ["acme.tick"]
without = ["epoch"]

[[points]]
span = "acme.*"
event = "acme.report"
values = ["acme.*"]
without = ["acme.batch"]
"""


WRONG = """[[emitter]]
name = "one"
run_id = ["acme.job"]
[[emitter]]
run_ids = ["resource:acme.job"]
is_json = 1
[step]
attributes = "tick"
[[points]]
event = "report"
name = "acme.name"
[[points]]
values = ["acme.*"]
[other]
"""


@pytest.fixture
def store(tmp_path):
    """Where a store is, and a mapping beside it."""
    path = tmp_path / "runs.db"
    mapping_path(path).write_text(ACME)
    return path


def refused(tmp_path, text):
    """What is said of a mapping."""
    path = tmp_path / "runs.db"
    mapping_path(path).write_text(text)
    with pytest.raises(MappingFileError) as error:
        Emitters.of_store(path)
    assert error.value.path == str(mapping_path(path))
    return list(error.value.problems)


def test_a_mapping_beside_the_store_makes_runs_of_other_programs(store):
    """A program that names its runs in its own way is understood once a mapping beside the store says how."""
    emitters = Emitters.of_store(store)
    resource = {"acme.job": "j-1", "acme.project": "vision", "acme.worker": 2, "service.name": "acme"}

    found = emitters.identify(resource, {"acme.title": "night run"}, {})

    assert found[1:] == ("night run", "vision", 2, False)
    assert emitters.identify({}, {}, {"x-acme-job": "j-1"}).run_id == found.run_id


def test_a_users_entries_come_before_the_built_in_ones(store):
    """Telemetry that fits an entry of the user's and one that is built in belongs to the user's run."""
    emitters = Emitters.of_store(store)

    assert emitters.identify({"acme.job": "j-1", "nemo.run.id": "7"}, {}, {}).run_name == "j-1"
    assert emitters.identify({"nemo.run.id": "7"}, {}, {}).run_name == "7"


def test_a_mapping_adds_steps_and_takes_others_away(store):
    """A mapping says which attributes are steps, and which are none although they are by default."""
    emitters = Emitters.of_store(store)

    assert emitters.step_of({"acme.tick": 3, "step": 4}) == (3.0, frozenset({"acme.tick", "step"}))
    assert emitters.step_of({"epoch": 3}) is None


def test_a_mapping_makes_points_of_span_events(store):
    """Numbers of the span events that a mapping names are points; those it leaves out are not."""
    held = {"acme.tick": 3, "acme.loss": 0.5, "acme.batch": 32, "other": 1}
    events = (Event("acme.report", 7, held), Event("acme.other", 8, held))
    span, elsewhere = (
        Span("1" * 32, "2" * 16, name, 1, 9, events=events, resource=Resource())
        for name in ("acme.train", "web")
    )
    emitters = Emitters.of_store(store)

    found = [tuple(point) for point in emitters.points_of_span(span)]

    assert found == [("acme.loss", 3.0, 7, 0.5)]
    assert emitters.points_of_span(elsewhere) == []


def test_an_empty_mapping_changes_nothing(tmp_path):
    """A mapping without entries leaves the built-in ones as they are."""
    mapping_path(tmp_path / "runs.db").write_text("# nothing yet\n")

    assert Emitters.of_store(tmp_path / "runs.db").step_of({"epoch": 3}) == (3.0, frozenset({"epoch"}))


def test_a_mapping_is_copied_beside_the_store(tmp_path):
    """A mapping given once lies beside the store from then on, where every process finds it; a newer one replaces it."""
    file, store = tmp_path / "acme.toml", tmp_path / "runs.db"
    file.write_text(ACME)

    assert use_mapping(store, file) == tmp_path / "runs.db.mapping.toml"
    file.write_text(ACME.replace("acme.tick", "acme.tock"))
    use_mapping(store, file)

    assert Emitters.of_store(store).step_of({"acme.tock": 3}) == (3.0, frozenset({"acme.tock"}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["acme.toml", "runs.db.mapping.toml"]


def test_a_wrong_mapping_replaces_nothing(store, tmp_path):
    """A mapping that cannot be used is refused, and the one beside the store stays."""
    file = tmp_path / "acme.toml"
    file.write_text("[[emitter]]\n")

    with pytest.raises(MappingFileError):
        use_mapping(store, file)

    assert mapping_path(store).read_text() == ACME


def test_a_mapping_goes_where_the_store_will_be(tmp_path):
    """A folder that the store does not have yet is made for its mapping; where none can be made is said."""
    file = tmp_path / "acme.toml"
    file.write_text(ACME)

    assert use_mapping(tmp_path / "new" / "runs.db", file).read_text() == ACME
    with pytest.raises(MappingFileError, match=r"runs\.db\.mapping\.toml.*\n  it cannot be written: "):
        use_mapping(file / "runs.db", file)


def test_a_mapping_that_is_not_there_is_an_error_where_it_is_named(tmp_path):
    """A file that is named and does not exist is an error of ours that names it."""
    with pytest.raises(MappingFileError, match=r"none\.toml.*\n  it cannot be read: .*No such file"):
        use_mapping(tmp_path / "runs.db", tmp_path / "none.toml")


def test_every_wrong_line_is_named_at_once(tmp_path):
    """All mistakes of a mapping are said in one go: the line, the entry, what was found, what to write."""
    assert refused(tmp_path, WRONG) == [
        (
            "line 3, [[emitter]] 1, run_id: found 'acme.job'. "
            "Write resource:KEY, attribute:KEY, header:NAME, or resource alone."
        ),
        'line 4, [[emitter]] 2: found no name. Add one: name = "my-trainer".',
        'line 4, [[emitter]] 2: found no run_id. Say where it is: run_id = ["resource:my.run.id"].',
        "line 5, [[emitter]] 2: found the unknown key 'run_ids'. Did you mean run_id?",
        "line 6, [[emitter]] 2, is_json: found 1. Write true or false.",
        "line 8, [step], attributes: found 'tick'. Write a list of texts: attributes = [\"...\"].",
        (
            "line 9, [[points]] 1: found name where the numbers should be. "
            "Give name and value (attributes that hold a metric's name and number), or values (names of attributes)."
        ),
        'line 12, [[points]] 2: found neither span nor event. Say which: event = "my.report".',
        "line 14, the file: found the unknown key 'other'. Known are: emitter, step, points.",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("emitter = 3", "line 1, emitter: found 3, which is no list of tables. Write [[emitter]]."),
        ("step = 3", "line 1, step: found 3, which is no table. Write [step]."),
        ('[[emitter]]\nname = ""\nrun_id = ["resource"]', "line 2, [[emitter]] 1, name: found ''. Write a text: name = \"...\"."),
        ('[[points]]\nspan = "a"\nstep = [1]\nvalues = ["b"]', 'line 3, [[points]] 1, step: found [1]. Write a list of texts: step = ["..."].'),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_named(tmp_path, text, said):
    """A value that is no text or no list is said with the line it stands in."""
    assert refused(tmp_path, text) == [said]


def test_a_mapping_that_is_no_toml_is_named_with_the_place(tmp_path):
    """A file that is no TOML is said to be none, with the line and column where it stops to be."""
    (said,) = refused(tmp_path, "[[emitter]]\nname = acme\n")

    assert said.startswith("it is no TOML: Invalid value (at line 2, column 8).")


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_the_mapping_beside_a_store_can_be_read_by_those_who_read_the_store(tmp_path, mode):
    """A mapping gets the mode of its store, whatever the umask and the mode of the file that it is copied from."""
    store, file = tmp_path / "runs.db", tmp_path / "acme.toml"
    store.touch()
    store.chmod(mode)
    file.write_text(ACME)

    assert stat.S_IMODE(use_mapping(store, file).stat().st_mode) == mode
    assert sorted(one.name for one in tmp_path.iterdir()) == ["acme.toml", "runs.db", "runs.db.mapping.toml"]


def test_a_link_in_the_folder_of_the_store_is_not_followed(tmp_path):
    """Another user who may write into the folder cannot have a file of the user's overwritten."""
    store, file, victim = tmp_path / "runs.db", tmp_path / "acme.toml", tmp_path / "victim"
    file.write_text(ACME)
    victim.write_text("important")
    mapping_path(store).symlink_to(victim)
    (tmp_path / f"runs.db.mapping.toml.{os.getpid()}.tmp").symlink_to(victim)

    assert use_mapping(store, file).read_text() == ACME
    assert victim.read_text() == "important"
    assert not mapping_path(store).is_symlink()


def test_a_mapping_of_too_many_levels_is_no_mapping(tmp_path):
    """What no parser can read is said as of any other file, and telemetry is stored without it."""
    store = tmp_path / "runs.db"
    mapping_path(store).write_text("a=" + "[" * 5000)

    with pytest.raises(MappingFileError, match="more lists or tables inside each other"):
        Emitters.of_store(store)

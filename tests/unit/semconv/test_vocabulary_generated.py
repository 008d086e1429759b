"""The generated package and pages are what the YAML says."""

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import generate
import pytest
from vocabulary import Vocabulary, load_vocabulary

from otel_experiments import semconv
from otel_experiments.model.run import RunState
from otel_experiments.semconv import attributes, entities, events, metrics, registry, spans, values

MakeModel = Callable[..., Path]


@pytest.fixture(scope="module")
def vocabulary(root: Path) -> Vocabulary:
    """The vocabulary that ships."""
    return load_vocabulary(root / "semconv" / "model")


def constants(module: object) -> dict[str, object]:
    """The module's public constants by name."""
    return {
        name: value for name, value in vars(module).items() if name.isupper() and not name.startswith("_")
    }


def test_the_committed_files_are_as_generated(root: Path) -> None:
    """`generate.py --check` has nothing to say about the tree as it is."""
    done = subprocess.run(
        [sys.executable, str(root / "semconv" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_generating_twice_gives_the_same_bytes(vocabulary: Vocabulary) -> None:
    """Nothing of the machine, the time or the order of files gets into what is generated."""
    assert generate.render(vocabulary) == generate.render(vocabulary)


@pytest.mark.parametrize(
    "name",
    [
        "otel_experiments/semconv/attributes.py",
        "otel_experiments/semconv/spans.py",
        "docs/semconv/metrics.md",
    ],
)
def test_check_names_a_drifted_file_and_writes_nothing(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A hand edit of any generated file is found, named and left as it is."""
    options = ["--model", str(make_model()), "--root", str(tmp_path), "--released", str(tmp_path / "none")]
    generate.main(options)
    edited = (tmp_path / name).read_text() + "# by hand\n"
    (tmp_path / name).write_text(edited)

    status = generate.main(["--check", *options])

    assert status == 1
    assert capsys.readouterr().err == f"{name} is not as generated; run: python semconv/generate.py\n"
    assert (tmp_path / name).read_text() == edited


def test_check_finds_missing_and_left_over_files(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A generated file that is gone and one that no template makes are both drift; generating mends both."""
    options = ["--model", str(make_model()), "--root", str(tmp_path), "--released", str(tmp_path / "none")]
    generate.main(options)
    (tmp_path / "docs/semconv/spans.md").unlink()
    (tmp_path / "otel_experiments/semconv/old.py").write_text("")

    assert generate.main(["--check", *options]) == 1
    assert capsys.readouterr().err.split("\n")[:2] == [
        "docs/semconv/spans.md is not as generated; run: python semconv/generate.py",
        "otel_experiments/semconv/old.py is not as generated; run: python semconv/generate.py",
    ]
    assert generate.main(options) == 0
    assert generate.main(["--check", *options]) == 0


def test_check_sees_a_change_of_the_yaml(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A changed brief drifts exactly the files that show it."""
    options = ["--root", str(tmp_path), "--released", str(tmp_path / "none")]
    generate.main(["--model", str(make_model()), *options])

    status = generate.main(
        [
            "--check",
            "--model",
            str(make_model(("brief: A run has started.", "brief: A run began."))),
            *options,
        ]
    )

    assert status == 1
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "docs/semconv/events.md",
        "otel_experiments/semconv/events.py",
    ]


def test_a_deprecated_name_stays_and_says_what_replaces_it(make_model: MakeModel) -> None:
    """Deprecating keeps the constant and shows the note in the code and on the pages."""
    deprecated = "\n    deprecated: {reason: renamed, renamed_to: ml.model.title, note: Use ml.model.title.}"
    model = make_model(
        ('examples: ["resnet"]', f'examples: ["resnet"]{deprecated}'), ("unit: s", f"unit: s{deprecated}")
    )

    files = generate.render(load_vocabulary(model))

    assert "Deprecated: Use ml.model.title." in files["otel_experiments/semconv/attributes.py"]
    assert "**Deprecated.** Use ml.model.title." in files["docs/semconv/attributes.md"]
    assert "**Deprecated.** Use ml.model.title." in files["docs/semconv/metrics.md"]


def test_a_bad_vocabulary_is_not_generated(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A breach is told with its file and nothing is written."""
    model = make_model(("unit: s", "unit: seconds"))

    status = generate.main(["--model", str(model), "--root", str(tmp_path / "root")])

    assert status == 1
    assert "ml/registry.yaml: ml.run.duration: has the unit 'seconds'" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_each_attribute_has_its_constant(vocabulary: Vocabulary) -> None:
    """The constants are the YAML's keys in capitals, no more and no fewer."""
    expected = {attribute.key.replace(".", "_").upper(): attribute.key for attribute in vocabulary.attributes}

    assert constants(attributes) == expected
    assert attributes.ML_HYPERPARAMETER == "ml.hyperparameter"


def test_attribute_definitions_are_those_of_the_yaml(vocabulary: Vocabulary) -> None:
    """Type, members, closedness and cardinality reach the generated definitions."""
    generated = {
        name: (found.name, found.type, found.members, found.is_closed, found.is_unbounded, found.upstream)
        for name, found in registry.ATTRIBUTES.items()
    }

    assert generated == {
        known.key: (
            known.key,
            known.type,
            tuple(member.value for member in known.members),
            known.is_closed,
            known.is_unbounded,
            known.upstream,
        )
        for known in vocabulary.attributes
    }


@pytest.mark.parametrize(
    ("kind", "module"),
    [("span", spans), ("metric", metrics), ("event", events)],
    ids=["spans", "metrics", "events"],
)
def test_signal_definitions_are_those_of_the_yaml(vocabulary: Vocabulary, kind: str, module: object) -> None:
    """Each span, metric and event has one constant, with the YAML's attributes and levels."""
    found = {
        name: (value.type if kind == "span" else value.name, dict(value.attributes), value.upstream)
        for name, value in constants(module).items()
        if not isinstance(value, tuple | dict)
    }

    assert found == {
        signal.name.replace(".", "_").upper(): (
            signal.name,
            {use.ref: use.level for use in signal.uses},
            signal.upstream,
        )
        for signal in vocabulary.of_kind(kind)
    }
    assert len(module.ALL) == len(found)


def test_spans_know_how_they_are_told(vocabulary: Vocabulary) -> None:
    """Every member of the operation's enum leads to the definition that the YAML matches with it."""
    expected = {
        (span.match_key, value): span.name
        for span in vocabulary.of_kind("span")
        for value in span.match_values
    }

    assert {key: found.type for key, found in spans.BY_OPERATION.items()} == expected
    assert {(attributes.ML_OPERATION_NAME, member.value) for member in values.MlOperationName} <= set(
        expected
    )
    assert [span.type for span in spans.ALL if span.is_opt_in] == ["ml.batch", "ml.step"]


def test_metrics_have_their_units_and_instruments(vocabulary: Vocabulary) -> None:
    """Unit and instrument reach the generated definitions."""
    assert {name: (found.unit, found.instrument) for name, found in metrics.BY_NAME.items()} == {
        metric.name: (metric.unit, metric.instrument) for metric in vocabulary.of_kind("metric")
    }


def test_entities_have_their_identity(vocabulary: Vocabulary) -> None:
    """Identity and description reach the generated definitions."""
    assert {found.type: (found.identity, found.description) for found in entities.ALL} == {
        entity.name: (tuple(use.ref for use in entity.identity), tuple(use.ref for use in entity.uses))
        for entity in vocabulary.of_kind("entity")
    }


def test_enums_have_the_members_of_the_yaml(vocabulary: Vocabulary) -> None:
    """Each enum attribute has a class of strings."""
    generated = {
        name: [member.value for member in found]
        for name, found in vars(values).items()
        if isinstance(found, type) and issubclass(found, StrEnum) and found is not StrEnum
    }

    assert generated == {
        generate.class_name(known.key): [member.value for member in known.members]
        for known in vocabulary.attributes
        if known.members
    }


def test_run_states_are_those_of_the_model() -> None:
    """The vocabulary and the model know the same states of a run."""
    assert [state.value for state in values.MlRunState] == [state.value for state in RunState]


def test_the_schema_url_is_the_manifests(vocabulary: Vocabulary) -> None:
    """The package names the schema URL that the manifest declares."""
    assert vocabulary.schema_url == semconv.SCHEMA_URL


def test_the_constants_import_nothing_of_ours() -> None:
    """Importing the constants loads no other module of the package than its empty parents."""
    code = "import sys; import otel_experiments.semconv.attributes; print(sorted(m for m in sys.modules if m.startswith('otel_experiments.semconv') or 'opentelemetry' in m))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "otel_experiments.semconv.attributes" in done.stdout
    assert "registry" not in done.stdout
    assert "dataclasses" not in done.stdout


@pytest.mark.parametrize("page", ["attributes", "spans", "metrics", "events", "entities"])
def test_the_pages_name_everything(root: Path, vocabulary: Vocabulary, page: str) -> None:
    """Each attribute and signal of the YAML has its place on its page."""
    text = (root / "docs" / "semconv" / f"{page}.md").read_text()
    kind = {"spans": "span", "metrics": "metric", "events": "event", "entities": "entity"}.get(page)
    expected = (
        {known.key for known in vocabulary.attributes}
        if kind is None
        else {signal.name for signal in vocabulary.of_kind(kind)}
    )
    pattern = r"^\| `([^`]+)` \|" if kind is None else r"^## `([^`]+)`$"

    assert set(re.findall(pattern, text, re.MULTILINE)) == expected


def test_the_pages_have_whole_tables(root: Path) -> None:
    """Every row of every table has as many cells as its head, so that no pipe in a text breaks a table."""
    for path in sorted((root / "docs" / "semconv").glob("*.md")):
        width = 0
        for line in path.read_text().splitlines():
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
            assert not cells or not width or cells == width, f"{path.name}: {line}"
            width = cells


# What OpenTelemetry publishes as a Python package is the yardstick for the names we took over.

UPSTREAM = "opentelemetry.semconv"


def upstream_module(kind: str, namespace: str, *, is_stable: bool) -> object:
    """OpenTelemetry's own constants of one namespace."""
    inner = "" if is_stable else "._incubating"
    return importlib.import_module(f"{UPSTREAM}{inner}.{kind}.{namespace}_{kind}")


def test_reused_attributes_exist_upstream(vocabulary: Vocabulary) -> None:
    """Each attribute that we say is OpenTelemetry's is a constant of its package, stable where we say so."""
    for known in vocabulary.attributes:
        if not known.upstream:
            continue
        module = upstream_module("attributes", known.key.split(".")[0], is_stable=known.stability == "stable")
        assert getattr(module, known.key.replace(".", "_").upper(), None) == known.key


def test_reused_enums_are_enums_of_known_members(vocabulary: Vocabulary) -> None:
    """What is an enum there is one here, what is none there is none here, and no member is coined by us."""
    for known in vocabulary.attributes:
        if not known.upstream or known.key == "error.type":
            continue
        namespace = known.key.split(".")[0]
        class_name = f"{generate.class_name(known.key)}Values"
        modules = [upstream_module("attributes", namespace, is_stable=False)]
        if known.stability == "stable":
            modules.append(upstream_module("attributes", namespace, is_stable=True))
        published = [getattr(module, class_name) for module in modules if hasattr(module, class_name)]
        assert (known.type == "enum") == bool(published), known.key
        if published:
            assert {one.value for one in known.members} <= {one.value for one in published[-1]}, known.key


def test_reused_metrics_are_as_upstream(vocabulary: Vocabulary, root: Path) -> None:
    """Name, unit and instrument of each reused metric are those of OpenTelemetry's package."""
    for metric in vocabulary.of_kind("metric"):
        if not metric.upstream:
            continue
        module = upstream_module("metrics", metric.name.split(".")[0], is_stable=False)
        constant = metric.name.replace(".", "_").upper()
        source = Path(module.__file__).read_text()
        documented = re.search(
            rf'^{constant}: Final = "{metric.name}"\n"""\n(?P<text>.*?)"""', source, re.DOTALL | re.MULTILINE
        )
        assert documented is not None, metric.name
        assert f"Instrument: {metric.instrument}\nUnit: {metric.unit}\n" in documented["text"]

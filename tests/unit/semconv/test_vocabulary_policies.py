"""Every policy of the vocabulary bites."""

from collections.abc import Callable
from pathlib import Path

import pytest
from policies import check_policies
from vocabulary import VocabularyError, load_vocabulary

MakeModel = Callable[..., Path]

ATTRIBUTE = """
    attributes:
      - key: {key}
        type: {type}
        stability: development
        brief: An attribute.
        examples: {examples}
        annotations: {{golden: config}}
"""


def codes(model: Path) -> set[str]:
    """The codes of all breaches."""
    return {breach.code for breach in check_policies(load_vocabulary(model))}


def attribute(key: str = "ml.thing.name", kind: str = "string", examples: str = '["x"]') -> str:
    """A file section that defines one attribute."""
    return ATTRIBUTE.format(key=key, type=kind, examples=examples)


def test_a_good_vocabulary_breaks_no_policy(make_model: MakeModel) -> None:
    """The small vocabulary that the other tests break is good itself."""
    assert check_policies(load_vocabulary(make_model())) == []


def test_the_real_vocabulary_breaks_no_policy(root: Path) -> None:
    """The vocabulary that ships keeps every policy."""
    assert check_policies(load_vocabulary(root / "semconv" / "model")) == []


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        pytest.param("no_brief", "brief: Name of the model.", "brief: ''", id="attribute-without-brief"),
        pytest.param("no_brief", "brief: Duration of runs.", "brief: Duration of runs", id="brief-is-no-sentence"),
        pytest.param("no_examples", 'examples: ["resnet"]', "examples: []", id="string-without-examples"),
        pytest.param("bad_example", 'examples: ["resnet"]', "examples: [5]", id="example-of-another-type"),
        pytest.param("bad_example", "type: string\n    stability: development\n    brief: Name", "type: int\n    stability: development\n    brief: Name", id="string-for-int"),
        pytest.param("unknown_type", "type: string\n    stability: development\n    brief: Name", "type: text\n    stability: development\n    brief: Name", id="unknown-type"),
        pytest.param("no_stability", "brief: A run has started.", "brief: A run has started.\n    stability: final", id="unknown-stability"),
        pytest.param("no_stability", "unit: s\n    stability: development", "unit: s", id="metric-without-stability"),
        pytest.param("bad_unit", "unit: s", "unit: seconds", id="unit-no-ucum"),
        pytest.param("bad_unit", "unit: s", "unit: By", id="duration-in-bytes"),
        pytest.param("bad_unit", "instrument: histogram", "instrument: counter", id="duration-no-histogram"),
        pytest.param("bad_unit", "unit: s", "unit: ''", id="no-unit-by-oversight"),
        pytest.param("bad_unit", "{boundaries: [0.5, 60]}", "{boundaries: [0.5, 60], unit: unset}", id="unset-unit-that-is-there"),
        pytest.param("bad_boundaries", "{boundaries: [0.5, 60]}", "{}", id="histogram-without-boundaries"),
        pytest.param("bad_boundaries", "[0.5, 60]", "[60, 0.5]", id="falling-boundaries"),
        pytest.param("bad_boundaries", "[0.5, 60]", "[0.5, minute]", id="boundary-no-number"),
        pytest.param("bad_boundaries", "instrument: histogram", "instrument: gauge", id="boundaries-of-a-gauge"),
        pytest.param("bad_instrument", "instrument: histogram", "instrument: summary", id="unknown-instrument"),
        pytest.param("total", "name: ml.run.duration", "name: ml.run_total", id="metric-total"),
        pytest.param("unresolved_ref", "- {ref: ml.model.name, requirement_level: {cond", "- {ref: ml.nothing.name, requirement_level: {cond", id="ref-to-nothing"),
        pytest.param("unresolved_ref", "- {ref: ml.model.name, requirement_level: recommended}", "- ref_group: no.group", id="group-that-is-not"),
        pytest.param("unresolved_ref", "identity: [{ref: ml.run.id}]", "identity: [{ref: ml.run.nr}]", id="identity-of-nothing"),
        pytest.param("duplicate_ref", "- {ref: ml.model.name, requirement_level: recommended}", "- {ref: ml.model.name}\n      - {ref: ml.model.name}", id="ref-twice"),
        pytest.param("bad_level", "requirement_level: recommended", "requirement_level: useful", id="unknown-level"),
        pytest.param("bad_level", "{conditionally_required: if there is one}", "conditionally_required", id="required-on-no-condition"),
        pytest.param("bad_enum", "id: run, value: run", "id: Run, value: run", id="member-id-in-capitals"),
        pytest.param("bad_enum", "id: run, value: run", "id: run, value: 1", id="member-value-a-number"),
        pytest.param("bad_enum", "brief: A run., stability: development}", "stability: development}", id="member-without-brief"),
        pytest.param("bad_enum", "brief: A run., stability: development}", "brief: A run.}", id="member-without-stability"),
        pytest.param("bad_enum", "stability: development}\n    annotations", "stability: development}\n        - {id: run, value: other, brief: Again., stability: development}\n    annotations", id="member-twice"),
        pytest.param("bad_enum", "{golden: config}", "{golden: config, closed: true}", id="closed-but-no-enum"),
        pytest.param("cardinality", "golden: volatile, cardinality: unbounded", "golden: volatile", id="id-not-annotated"),
        pytest.param("cardinality", "- {ref: ml.model.name, requirement_level: {cond", "- {ref: ml.run.id, requirement_level: {cond", id="run-id-on-a-metric"),
        pytest.param("cardinality", "{golden: config}", "{golden: config, cardinality: unbounded}", id="annotated-attribute-on-a-metric"),
        pytest.param("golden_role", "annotations: {golden: config}", "note: None.", id="no-golden-role"),
        pytest.param("golden_role", "{golden: config}", "{golden: label}", id="unknown-golden-role"),
        pytest.param("golden_role", "{golden: config}", "{golden: index}", id="text-as-index"),
        pytest.param("bad_kind", "kind: internal", "kind: inner", id="unknown-span-kind"),
        pytest.param("no_match", "values: [run]", "values: []", id="span-told-by-nothing"),
        pytest.param("no_match", "values: [run]", "values: [run, walk]", id="span-told-by-no-member"),
        pytest.param("no_match", "attribute: ml.operation.name, values: [run]", "attribute: ml.model.name, values: [run]", id="span-told-by-optional-attribute"),
        pytest.param("no_match", "stability: development}\n    annotations", "stability: development}\n        - {id: walk, value: walk, brief: A walk., stability: development}\n    annotations", id="operation-without-span"),
        pytest.param("bad_span_name", 'name: {note: "{ml.operation.name} {ml.model.name}"}', "name: {}", id="span-without-name"),
        pytest.param("bad_span_name", "{ml.operation.name} {ml.model.name}", "{ml.operation.name} {ml.run.id}", id="unbounded-span-name"),
        pytest.param("bad_span_name", "{ml.operation.name} {ml.model.name}", "{ml.operation.name} {ml.other.name}", id="span-name-of-nothing"),
        pytest.param("no_reason", "unit: s", "unit: s\n    deprecated: {reason: obsoleted}", id="deprecated-without-note"),
        pytest.param("root", "{golden: config}", '{golden: config, upstream: {schema_url: "https://example.org/1.0.0"}}', id="our-name-defined-elsewhere"),
    ],
)  # fmt: skip
def test_a_changed_definition_is_refused(make_model: MakeModel, code: str, old: str, new: str) -> None:
    """One change to the small good vocabulary is named with its policy's code."""
    assert code in codes(make_model((old, new)))


@pytest.mark.parametrize(
    ("code", "more"),
    [
        pytest.param("invalid_name", attribute("ml.Thing.name"), id="capital"),
        pytest.param("invalid_name", attribute("ml.thing-name"), id="hyphen"),
        pytest.param("invalid_name", attribute("ml..thing"), id="two-dots"),
        pytest.param("invalid_name", attribute("ml.thing_"), id="underscore-at-the-end"),
        pytest.param("no_namespace", attribute("thing"), id="no-namespace"),
        pytest.param("root", attribute("other.thing"), id="foreign-without-upstream"),
        pytest.param("duplicate", attribute("ml.model.name"), id="attribute-twice"),
        pytest.param("duplicate", attribute("ml.model_name"), id="same-constant"),
        pytest.param("illegal_namespace", attribute("ml.model.name.short"), id="attribute-as-namespace"),
        pytest.param("illegal_namespace", attribute("ml.model"), id="namespace-as-attribute"),
        pytest.param("unknown_type", attribute(kind="template[enum]"), id="template-of-enum"),
        pytest.param("bad_example", attribute(kind="string[]"), id="example-no-list"),
        pytest.param("bad_example", attribute(kind="int", examples="[true]"), id="boolean-for-int"),
        pytest.param("cardinality", attribute(kind="template[string]"), id="template-not-annotated"),
        pytest.param(
            "bad_enum",
            "attributes: [{key: ml.thing.kind, stability: development, brief: A kind., type: {members: []}}]",
            id="enum-without-members",
        ),
        pytest.param(
            "duplicate",
            "events: [{name: ml.run.start, stability: development, brief: Again.}]",
            id="event-twice",
        ),
    ],
)
def test_an_added_definition_is_refused(make_model: MakeModel, code: str, more: str) -> None:
    """One definition more than the small good vocabulary has is named with its policy's code."""
    assert code in codes(make_model(more=more))


def test_two_spans_told_by_one_value_are_refused(make_model: MakeModel) -> None:
    """A span definition that is told by the value of another one is named with both."""
    model = make_model(
        more="""
        spans:
          - type: ml.walk
            kind: internal
            name: {note: "{ml.operation.name}"}
            stability: development
            brief: A walk.
            annotations:
              match: {attribute: ml.operation.name, values: [run]}
            attributes: [{ref: ml.operation.name, requirement_level: required}]
        """
    )

    breaches = check_policies(load_vocabulary(model))

    assert [str(breach) for breach in breaches] == [
        "ml/more.yaml: ml.walk: is told by 'run', as ml.run is [no_match]"
    ]


@pytest.mark.parametrize("url", ["", "https://example.org/ml", "https://example.org/ml/one"])
def test_a_schema_url_without_a_version_is_refused(make_model: MakeModel, url: str) -> None:
    """The manifest's schema URL ends in a version."""
    assert codes(make_model(schema_url=url or "''")) == {"schema_url"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("nonsense: []", "unknown sections ['nonsense']"),
        ("attributes: [{type: string}]", "has no 'key'"),
        ("attributes: [{key: ml.a.b, example: [1]}]", "has ['example']"),
        ("attributes: text", "is not a list of mappings"),
        ("attributes: [", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(make_model: MakeModel, more: str, told: str) -> None:
    """What is no vocabulary at all is refused with the file's name and the reason."""
    model = make_model(more=more)

    with pytest.raises(VocabularyError, match=r"more\.yaml") as caught:
        load_vocabulary(model)

    assert told in str(caught.value)


def test_another_file_format_is_refused(make_model: MakeModel) -> None:
    """A file of weaver's older format is not taken for an empty one."""
    model = make_model(("file_format: definition/2", "groups: []"))

    with pytest.raises(VocabularyError, match="file_format is None"):
        load_vocabulary(model)

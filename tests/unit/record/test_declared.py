"""Resources and scopes under short numbers: each number means one thing for ever, and memory stays small."""

import otel_experiments as ox
from otel_experiments.model.span import Resource, Scope
from otel_experiments.record.base import declared
from otel_experiments.record.base.declared import References


def test_any_number_of_resources_takes_bounded_memory_and_no_number_twice():
    """However many resources and scopes a process meets, few are remembered and no two share a number."""
    references = References()
    sources = [object() for _ in range(3 * declared.MOST_KNOWN)]
    for look_up, kept, make in (
        (references.resource, references.resources, lambda at: Resource({"ml.run.id": f"{at}"})),
        (references.scope, references.scopes, lambda at: Scope(f"{at}")),
    ):
        met = [look_up(source, lambda at=at, make=make: make(at)) for at, source in enumerate(sources)]
        again = [look_up(source, lambda at=at, make=make: make(at)) for at, source in enumerate(sources)]

        assert len(kept) <= declared.MOST_KNOWN
        meanings = {}
        for one in met + again:
            assert meanings.setdefault(one.number, one.value) == one.value
        assert look_up(sources[-1], lambda: None) is again[-1], "what was met last is still known"


def test_a_run_that_outlives_a_thousand_others_keeps_its_spans(recording, read, monkeypatch):
    """A run whose resource was forgotten meanwhile records its spans under the same resource as before."""
    monkeypatch.setattr(declared, "MOST_KNOWN", 4)
    with ox.start_run("long") as run:
        with run.stage("before"):
            pass
        for number in range(6):
            with ox.start_run(f"short {number}") as other, other.stage("s"):
                pass
        with run.stage("after"):
            pass

    spans = {span.name: span for span in read("long").spans}
    assert set(spans) == {"run default", "stage before", "stage after"}
    assert spans["stage after"].resource == spans["stage before"].resource
    assert spans["stage after"].resource.attributes["ml.run.name"] == "long"

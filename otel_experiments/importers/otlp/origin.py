"""Whose the items of one request are: which run, and what the request says of that run by being there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import cast

from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.importers.otlp.attached import points_of_joining
from otel_experiments.importers.otlp.attribute_values import text_of
from otel_experiments.importers.otlp.emitters import Emitters, Identity
from otel_experiments.importers.otlp.replayed import Replayed
from otel_experiments.journal.owner import current_owner
from otel_experiments.model.batch import Heartbeat, RunSighting, SharedTrace, WriteBatch
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import FACT_ATTRIBUTES, Run, RunFacts, RunState
from otel_experiments.model.span import Attributes, Resource
from otel_experiments.process.interruption import is_interruption
from otel_experiments.semconv import attributes as attr


@dataclass(slots=True)
class _Seen:
    """A run with the earliest time of its items, that of its root span where it is among them; 0 for none."""

    run: Run
    is_root: bool
    since_ns: int = 0


class Origins:
    """The runs of one request. `add_runs` writes down what is known of them when all items have been seen."""

    def __init__(self, emitters: Emitters, request: ReceivedRequest) -> None:
        self.emitters = emitters
        self.hints = request.hints
        self.host = current_owner().host
        self.replayed = Replayed(is_imported=request.is_imported)
        self._received_ns = request.received_ns
        self._refused = request.refused_run_ids
        self._seen: dict[tuple[str, int], _Seen] = {}
        self.problem_count, self.first_problem = 0, ""
        self._runs_of_traces: dict[str, set[str]] = {}
        self._resources: list[Resource] = []  # so that their ids stay their own

    def is_refused(self, identity: Identity | None) -> bool:
        """Tell whether the sender was refused items of this run."""
        return identity is not None and identity.run_id in self._refused

    def see(
        self,
        identity: Identity,
        resource: Resource,
        attributes: Attributes,
        time_ns: int,
        *,
        is_root: bool = False,
    ) -> None:
        """Take note of an item of a run, from `time_ns`; 0 where no time is known."""
        is_named_by_item = identity.is_own and attr.ML_RUN_ID not in resource.attributes
        key = (identity.run_id, 0 if is_named_by_item else id(resource))
        found = self._seen.get(key)
        if found is None:
            if is_named_by_item:
                run = _run_named(identity, attributes)
            else:
                self._resources.append(resource)
                run = own_run(identity, resource)
            found = self._seen[key] = _Seen(run, is_root)
        if is_root and not found.is_root:
            found.is_root, found.since_ns = True, time_ns
        elif is_root is found.is_root and time_ns > 0 and (not found.since_ns or time_ns < found.since_ns):
            found.since_ns = time_ns

    def note_trace(self, trace_id: str, run_id: str | None) -> None:
        """Take note of an item of a trace that names this run, or none."""
        found = self._runs_of_traces.get(trace_id)
        if found is None:
            found = self._runs_of_traces[trace_id] = set()
        if run_id is not None:
            found.add(run_id)

    def pass_over(self, error: Exception, item: str) -> None:
        """Take note of what an item says of its run, which cannot be read: the item is kept all the same.

        An error that is about no item is raised again.
        """
        if isinstance(error, MemoryError) or is_interruption(error):
            raise error
        self.problem_count += 1
        if not self.first_problem:
            found = error.found if isinstance(error, TelemetryDecodeError) else error
            self.first_problem = f"{item}: {type(error).__name__}: {found}"

    def note_root(self, identity: Identity, resource: Resource, span_id: str) -> None:
        """Take note of the id of a run's root span, which was seen before."""
        found = self._seen[identity.run_id, id(resource)]
        found.run = replace(found.run, root_span_id=span_id)

    def add_runs(self, batch: WriteBatch) -> None:
        """Add the runs that were seen, that they were alive when the request came, and traces whose items may join them."""
        for seen in self._seen.values():
            since_ns = seen.since_ns or self._received_ns
            run = replace(seen.run, created_ns=since_ns, started_ns=since_ns)
            batch.sightings.append(RunSighting(run, seen.is_root))
            batch.heartbeats.append(Heartbeat(run.run_id, self._received_ns))
            self.note_trace(run.run_id, run.run_id)
        points_of = points_of_joining(self.emitters)
        batch.shared_traces += [
            SharedTrace(trace_id, frozenset(run_ids), points_of)
            for trace_id, run_ids in self._runs_of_traces.items()
        ]


def own_run(identity: Identity, resource: Resource) -> Run:
    """Return what the resource of a run says of it; its times are yet to be filled in."""
    run = _run_named(identity, resource.attributes)
    return replace(run, resource=cast("dict[str, object]", resource.attributes))


def _run_named(identity: Identity, named: Attributes) -> Run:
    """Return a run with what the attributes that name it say of it."""

    def text(key: str) -> str:
        found = named.get(key)
        return found if isinstance(found, str) else ""

    attempt = named.get(attr.ML_RUN_ATTEMPT)
    is_own = identity.is_own
    return Run(
        run_id=identity.run_id,
        experiment=text_of(named, attr.ML_EXPERIMENT_NAME) if is_own else identity.experiment,
        name=text_of(named, attr.ML_RUN_NAME) or _name_of_id(text_of(named, attr.ML_RUN_ID), identity)
        if is_own
        else identity.run_name,
        state=RunState.RUNNING,
        created_ns=0,
        attempt=attempt if isinstance(attempt, int) and 1 <= attempt < 2**31 else 1,
        parent_run_id=text(attr.ML_RUN_PARENT_ID) or None,
        **asdict(RunFacts(**{name: text(key) for name, key in FACT_ATTRIBUTES.items()})),
    )


def _name_of_id(run_id: str, identity: Identity) -> str:
    """Return the name of a run without one: what it calls itself, where that is no run id."""
    return "" if run_id.lower() == identity.run_id else run_id

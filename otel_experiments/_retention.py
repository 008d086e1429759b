"""Which runs a store keeps: runs are purged whole, by age, by number and by size, never a pinned or recorded one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Final

from otel_experiments._opening import open_reader
from otel_experiments.collect.journal_place import has_segments, journal_directory
from otel_experiments.edit.runs import REMOVED_DAYS
from otel_experiments.errors import ConfigurationError, StoreError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.edit import RunContents
from otel_experiments.model.past import past_of
from otel_experiments.model.run import Run
from otel_experiments.model.search import RunQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query import Reader, RunView
from otel_experiments.query.edited import contents_of, purge_runs
from otel_experiments.store import open_store
from otel_experiments.store.sqlite.store import SqliteStore

_DAY_NS: Final = 24 * 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept.

    Attributes:
        removed_days: removed runs are purged so many days later.
        older_than_s: runs that ended longer ago are purged (of those that were resumed the last end counts); None: age
            alone purges none.
        keep_last: so many runs of each experiment are kept, the newest; the others are purged, where `older_than_s` is
            given only those that are older too. None: number alone purges none.
        max_bytes: runs are purged until the store's file and the artifacts take no more: removed ones first, then those
            that ended first.
        where: a search expression: only runs that match are purged by age, number and size.
    """

    removed_days: float = REMOVED_DAYS
    older_than_s: float | None = None
    keep_last: int | None = None
    max_bytes: int | None = None
    where: str | None = None

    @property
    def is_by_choice(self) -> bool:
        """Whether runs are purged that nobody removed."""
        return self.older_than_s is not None or self.keep_last is not None or self.max_bytes is not None


@dataclass(slots=True)
class RetentionPlan:
    """Which runs would be purged, and what that frees.

    Attributes:
        removed: runs that were removed long ago.
        chosen: runs that age, number or size choose.
        contents: how much hangs on all of them together.
        store_bytes: about how much less the store holds afterwards.
        artifact_bytes: how much fewer bytes of artifacts are in use afterwards.
        pinned_count: runs that would be among them, and are pinned.
        live_count: runs that would be among them, and are recorded now.
        source_count: runs that would be among them, and that forks which are kept go on from.
        family_count: runs that would be among them, and are part of a run that is kept, or have such a part.
        changed_count: runs that went on or were edited while others were purged, and are kept.
    """

    removed: list[RunView] = field(default_factory=list)
    chosen: list[RunView] = field(default_factory=list)
    contents: RunContents = field(default_factory=RunContents)
    store_bytes: int = 0
    artifact_bytes: int = 0
    pinned_count: int = 0
    live_count: int = 0
    source_count: int = 0
    family_count: int = 0
    changed_count: int = 0

    @property
    def runs(self) -> list[RunView]:
        """All runs that would be purged."""
        return [*self.removed, *self.chosen]


def plan_retention(location: StoreLocation, retention: Retention) -> RetentionPlan:
    """Return what would be purged of a store; nothing is changed.

    Raises:
        ConfigurationError: a size is asked for of a store that is no file.
        QueryError: the expression cannot be understood.
        StoreError: the store cannot be read.
    """
    with open_reader(location) as reader:
        return _plan(reader, retention)


def apply_retention(
    location: StoreLocation,
    retention: Retention,
    *,
    shown: RetentionPlan | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> RetentionPlan:
    """Purge what `plan_retention` says, and return what was purged. Runs may be recorded meanwhile.

    `shown`: what was agreed to: no other run is purged, and none that is wanted by now.

    Raises:
        ConfigurationError: a size is asked for of a store that is no file.
        QueryError: the expression cannot be understood.
        StoreError: the store cannot be read or written.
    """
    with open_reader(location) as reader:
        plan = _plan(reader, retention, shown)
        known = {run.id: run.record for run in plan.runs}
        kept_ids = purge_runs(
            plan.runs, unless=lambda run: _is_other(run, known[run.run_id]), on_progress=on_progress
        )
        if kept_ids:
            plan.contents = _less(
                plan.contents, contents_of([run for run in plan.runs if run.id in kept_ids])
            )
            plan.removed = [run for run in plan.removed if run.id not in kept_ids]
            plan.chosen = [run for run in plan.chosen if run.id not in kept_ids]
            plan.changed_count = len(kept_ids)
        return plan


def shrink_store(location: StoreLocation) -> tuple[int, str]:
    """Give the space of what was purged back to the disk; return how many bytes that is, and why not, if it is not done.

    The file is written anew, which takes as much free space as it has, and holds up who records: so that is done only where
    no process records into the store.

    Raises:
        StoreError: the store cannot be opened.
    """
    path = location.absolute_path
    if path is None:
        return 0, ""
    if has_segments(journal_directory(path)):
        return 0, "a process records into it; new runs use the space"
    with open_store(path, create=False, busy_timeout_s=0.2) as store:
        assert isinstance(store, SqliteStore), store
        before = path.stat().st_size
        try:
            if not store.free_bytes():
                return 0, ""
            store.shrink()
        except StoreError as error:
            return 0, f"{str(error).partition(chr(10))[0].rstrip('.')}; new runs use the space"
    return before - path.stat().st_size, ""


def _plan(reader: Reader, retention: Retention, shown: RetentionPlan | None = None) -> RetentionPlan:
    plan, now_ns = RetentionPlan(), time.time_ns()
    before_ns = now_ns - int(retention.removed_days * _DAY_NS)
    removed = [
        run for run in reader.runs(visibility="removed") if (run.record.removed_ns or now_ns) <= before_ns
    ]
    plan.removed = [run for run in removed if not run.state.is_live]
    if retention.is_by_choice:
        found = _outdated(reader, retention, now_ns)
        if retention.max_bytes is not None:
            found = _too_much(reader, retention, plan.removed, found)
        plan.pinned_count = sum(run.is_pinned for run in found)
        plan.live_count = sum(run.state.is_live and not run.is_pinned for run in found)
        plan.chosen = [run for run in found if not run.is_pinned and not run.state.is_live]
    if shown is not None:
        agreed = {run.id for run in shown.runs}
        plan.removed = [run for run in plan.removed if run.id in agreed]
        plan.chosen = [run for run in plan.chosen if run.id in agreed]
    _keep_what_others_need(reader, retention, plan)
    if plan.runs:
        sizes = reader.store.run_bytes() if isinstance(reader.store, SqliteStore) else {}
        plan.contents = contents_of(plan.runs)
        plan.artifact_bytes = _artifact_bytes(reader, plan.runs)
        plan.store_bytes = sum(sizes.get(run.id, 0) for run in plan.runs)
    return plan


def _keep_what_others_need(reader: Reader, retention: Retention, plan: RetentionPlan) -> None:
    """Take out of a plan what kept forks go on from, and the rest of families of which a run is kept."""
    if not plan.runs:
        return
    stored = reader.store.find_runs(RunQuery(visibility="present"))
    source_of = {run.run_id: fork.run_id for run in stored if (fork := past_of(run).fork) is not None}
    families = _families(reader, retention, stored)
    purged, chosen = {run.id for run in plan.runs}, {run.id for run in plan.chosen}
    sources, relatives = set[str](), set[str]()
    while True:
        needed = {source for run_id, source in source_of.items() if run_id not in purged} & purged
        related = {one for family in families if not family <= purged for one in family & purged & chosen}
        if not needed and not related:
            break
        sources |= needed
        relatives |= related - needed
        purged -= needed | related
    plan.removed = [run for run in plan.removed if run.id in purged]
    plan.chosen = [run for run in plan.chosen if run.id in purged]
    plan.source_count, plan.family_count = len(sources), len(relatives)


def _families(reader: Reader, retention: Retention, stored: Sequence[Run]) -> list[set[str]]:
    """Return which runs stay together: a run with all that is part of it, however deep. Removed runs are of none.

    Where a search chooses runs, what it does not find keeps only the runs that it is part of itself.
    """
    parent_of = {run.run_id: run.parent_run_id for run in stored if run.removed_ns is None}
    found = (
        set(parent_of)
        if retention.where is None
        else {run.id for run in reader.runs(retention.where, visibility="kept")}
    )
    families = dict[str, set[str]]()
    for run_id in parent_of:
        above = [run_id]
        while (
            (parent := parent_of.get(above[-1])) is not None and parent in parent_of and parent not in above
        ):
            above.append(parent)
        if run_id in found:
            families.setdefault(above[-1], set()).add(run_id)
        else:
            families[f"only {run_id}"] = set(above)
    return [family for family in families.values() if len(family) > 1]


def _outdated(reader: Reader, retention: Retention, now_ns: int) -> list[RunView]:
    """Return the runs that age and number choose, by their end; all that match where only a size is given."""
    found = list(reader.runs(retention.where, visibility="kept"))
    if retention.keep_last is not None:
        seen = Counter[str]()
        newest = set[str]()
        for run in reader.runs(visibility="kept"):
            seen[run.experiment] += 1
            if seen[run.experiment] <= retention.keep_last:
                newest.add(run.id)
        found = [run for run in found if run.id not in newest]
    if retention.older_than_s is not None:
        before_ns = now_ns - int(retention.older_than_s * 10**9)
        found = [run for run in found if _last_sign_ns(run) <= before_ns]
    return sorted(found, key=_last_sign_ns)


def _last_sign_ns(run: RunView) -> int:
    """Return when a run was last heard of: its end, also that of a later attempt."""
    record = run.record
    signs = (record.created_ns, record.started_ns, record.heartbeat_ns, record.ended_ns)
    return max(one or 0 for one in signs)


def _is_other(run: Run, known: Run) -> bool:
    """Tell whether a run has gone on, or was pinned, removed or restored, since it was looked at."""
    return (run.attempt, run.state, run.ended_ns, run.pinned_ns, run.removed_ns) != (
        known.attempt,
        known.state,
        known.ended_ns,
        known.pinned_ns,
        known.removed_ns,
    )


def _less(all_of_them: RunContents, of_some: RunContents) -> RunContents:
    return RunContents(
        *(max(0, one - less) for one, less in zip(astuple(all_of_them), astuple(of_some), strict=True))
    )


def _too_much(
    reader: Reader, retention: Retention, gone: Sequence[RunView], found: Sequence[RunView]
) -> list[RunView]:
    """Return so many runs that store and artifacts take no more than `max_bytes` without them: removed ones first, then `found`."""
    max_bytes = retention.max_bytes
    assert max_bytes is not None
    sizes = _sizes(reader)
    logged = [stored.logged for stored in reader.store.artifacts(ArtifactQuery(role=None))]
    users = Counter(digest for digest, _ in {(one.digest, one.run_id) for one in logged})
    bytes_of = {one.digest: one.size_bytes for one in logged}
    digests_of: dict[str, set[str]] = {}
    for one in logged:
        digests_of.setdefault(one.run_id, set()).add(one.digest)
    total = sum(sizes.values()) + sum(bytes_of.values())

    def without(run: RunView) -> int:
        freed = sizes.get(run.id, 0)
        for digest in digests_of.get(run.id, ()):
            users[digest] -= 1
            freed += 0 if users[digest] else bytes_of[digest]
        return freed

    total -= sum(map(without, gone))
    gone_ids = {run.id for run in gone}
    hidden = [run for run in reader.runs(retention.where, visibility="removed") if run.id not in gone_ids]
    hidden.sort(key=lambda run: run.record.removed_ns or 0)
    chosen = []
    for run in [*hidden, *found]:
        if total <= max_bytes:
            break
        chosen.append(run)
        if not run.is_pinned and not run.state.is_live:
            total -= without(run)
    return chosen


def _sizes(reader: Reader) -> dict[str, int]:
    """Return about how many bytes of the store's file each run takes.

    Raises:
        ConfigurationError: the store is no file.
    """
    store = reader.store
    if not isinstance(store, SqliteStore):
        raise ConfigurationError(
            f"The runs of store {reader.location!r} have no size: it is no file.\n  Choose runs by age or number."
        )
    return store.run_bytes()


def _artifact_bytes(reader: Reader, runs: Iterable[RunView]) -> int:
    ids = {run.id for run in runs}
    logged = [stored.logged for stored in reader.store.artifacts(ArtifactQuery(role=None))]
    kept = {one.digest for one in logged if one.run_id not in ids}
    kept |= {use.digest for use in reader.store.artifact_uses() if use.run_id not in ids}
    gone = {one.digest: one.size_bytes for one in logged if one.digest not in kept}
    return sum(gone.values())

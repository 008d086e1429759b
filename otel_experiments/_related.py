"""Which stored run a new one goes on with, is a fork of, or is part of: ids, names, keys and words, made into runs.

What resuming means stands here, once for `start_run` and `init`:

- the id, the beginning of one, or the name of a run: that run goes on; it has to be there;
- `"allow"` with a key: the run with that key goes on, and a new one is started where there is none (so it is without a word);
- `"must"`, `"never"` with a key: there has to be one, there has to be none;
- `"auto"` or True: as `allow` with a key; without one the newest run of the experiment goes on, if it did not end well.
"""

from __future__ import annotations

import logging
import math
import os
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from otel_experiments._stored_run import before_of, check_parent, definitions_of, reader_over
from otel_experiments.codec.text import shown
from otel_experiments.errors import ConfigurationError, RunInUseError, RunNotFoundError, RunRemovedError
from otel_experiments.model import run as model
from otel_experiments.model.past import past_of
from otel_experiments.model.run import RunState, is_run_id
from otel_experiments.model.search import Comparison, RunField
from otel_experiments.process.notice import tell
from otel_experiments.record.base import other_trackers as other
from otel_experiments.record.base.claims import Claims, Holder
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.propagation import Membership, read_membership
from otel_experiments.record.base.ranks import Rank
from otel_experiments.record.run.run import Run
from otel_experiments.record.run.spec import ForkSource, ParentRun, RunSpec
from otel_experiments.record.run.start import Before

if TYPE_CHECKING:
    from otel_experiments.query import RunView
    from otel_experiments.store import Store

_AT_STEP: Final = re.compile(r"(?s)(?P<run>.+)\?_?step=(?P<step>[^?&]*)")
LAST_STEP: Final = "last"
"""In the place of a step: the last one that the run has recorded."""
_logger: Final = logging.getLogger("otel_experiments")
_UNWELL: Final = frozenset({RunState.LOST, RunState.FAILED, RunState.CANCELLED})


class Relations:
    """Finds the runs that a new run has to do with.

    `find_store` gives the store as it is now, None where none is kept. `rank` is the place of this process among those
    that record the run: where rank 0 has begun it already, the others mean that run. Where recording is switched off
    (`is_on` is False) there are none: the same program runs, and its run is a new one. A run that is to start or go on is claimed
    for this process alone; use it with `with`, so that what was not started is given back.
    """

    def __init__(
        self,
        find_store: Callable[[], Store | None],
        default_experiment: str,
        claims: Claims,
        rank: Rank | None = None,
        *,
        is_on: bool = True,
    ) -> None:
        self._is_on = is_on
        self.claims = claims
        self._find_store = find_store
        self._default_experiment = default_experiment
        self._rank = rank

    def relate(
        self,
        spec: RunSpec,
        *,
        parent: object,
        resume: object,
        key: object,
        rewind_to: object,
        fork_from: object,
        what: Literal["key", "id"] = "key",
    ) -> tuple[Before | None, RunSpec, str]:
        """Return the run that goes on, what is given of the run with those it comes from, and the id of a new one.

        `what` is what the caller calls the key.

        Raises:
            ConfigurationError: one of them cannot be used.
            RunNotFoundError: there is no such run.
            AmbiguousRunError: several are meant.
        """
        if not self._is_on:
            has_part = parent is None or isinstance(parent, (Run, ParentRun))
            return None, replace(spec, parent=parent if has_part else False), ""
        before, run_id = None, ""
        if isinstance(key, str):
            spec = replace(spec, key=key)
        if parent is not None:
            spec = replace(spec, parent=self._parent(parent))
        if resume is not None or key is not None:
            of = spec.experiment or getattr(spec.parent, "experiment", None)
            before, run_id = self.goes_on_with(resume, key, experiment=of, name=spec.name, what=what)
        if before is not None and isinstance(spec.parent, (Run, ParentRun)):
            check_parent(self._find_store(), before.record, spec.parent)
        if rewind_to is not None:
            spec = _rewound(spec, before, rewind_to)
            if before is not None and spec.rewind_to is not None:
                self._tell_beyond(before.record, spec.rewind_to, "rewind_to=")
        if fork_from is not None:
            if before is None:
                spec = self._forked(spec, fork_from)
            else:
                self._check_fork(before.record, spec, fork_from)
        return before, spec, run_id

    def goes_on_with(
        self,
        resume: object,
        key: object,
        *,
        experiment: str | None,
        name: str | None,
        what: Literal["key", "id"] = "key",
    ) -> tuple[Before | None, str]:
        """Return the run that is to go on, if there is one, and the id for a new one, if the key says it.

        `what` is what the caller calls the key.

        Raises:
            ConfigurationError: words that cannot be used, a run that must not be there and is, or no store.
            RunNotFoundError: there has to be one, and there is none.
            AmbiguousRunError: several runs have the name, or ids that begin so.
        """
        if not self._is_on:
            return None, ""
        word = other.resume_word(resume)
        if word is None:
            return self._resumed(str(resume)), ""
        if key is None:
            if word in {"must", "never", "allow"} and (word == "must" or what == "key"):
                raise ConfigurationError(
                    f'resume="{word}" needs the {what} of the run.\n  Pass {what}=, or resume=ID.'
                )
            return (self._crashed(experiment, name) if word == "auto" else None), ""
        run_id = other.run_id_of(key, experiment or self._default_experiment, what)
        self._claim(run_id, str(key))
        before = self._stored(run_id, f"{what}={key!r}")
        if before is not None and word == "never" and not self._is_of_this_job(before.record):
            raise ConfigurationError(
                f'There is a run with {what}={key!r}, and resume="never" wants a new one.\n  Pass another {what}.'
            )
        if before is None and word == "must":
            return self._resumed(str(key)), ""
        return before, run_id

    def _resumed(self, wanted: str) -> Before:
        """Return the run that is to go on: by id, by the beginning of one, or by a name that only one run has.

        Raises:
            ConfigurationError: there is no store.
            RunNotFoundError: there is none.
            AmbiguousRunError: there are several.
        """
        found = reader_over(self._find_store(), wanted, "resumed").only_run(wanted)
        self._claim(found.id, found.name)
        return before_of(self._find_store(), reader_over(self._find_store(), wanted, "resumed").run(found.id))

    def _claim(self, run_id: str, name: str) -> None:
        """Have a run for this process alone.

        Raises:
            RunInUseError: another process has it, or is about to start it.
        """
        holder = self._holder_of(run_id)
        if holder is not None:
            store = self._find_store()
            known = None if store is None else store.get_run(run_id)
            name = name if known is None else known.name
            raise RunInUseError(run_id=run_id, name=name, pid=holder.pid, host=holder.host)

    def _holder_of(self, run_id: str) -> Holder | None:
        """Claim a run; return who has it, where another process does. One that joins it claims nothing."""
        joined = membership_here()
        joins = joined is not None and joined.run_id == run_id
        is_follower = self._rank is not None and self._rank.number > 0
        return None if joins or is_follower else self.claims.take(run_id)

    def _forked(self, spec: RunSpec, fork_from: object) -> RunSpec:
        """Return what is given of a run with the run and step that it is a fork of: `NAME?step=200`.

        Raises:
            ConfigurationError: it names no run and step, or there is no store.
            RunNotFoundError: there is no such run.
            AmbiguousRunError: several ids begin so.
        """
        found = _AT_STEP.fullmatch(fork_from) if isinstance(fork_from, str) else None
        step = None if found is None or found["step"] == LAST_STEP else _number(found["step"])
        if found is None or (step is None and found["step"] != LAST_STEP):
            raise ConfigurationError(
                f"fork_from={shown(fork_from)} cannot be used: it does not name a run and a step.\n"
                '  Pass fork_from="RUN?step=200", with the id or name of a run.'
            )
        wanted = self.id_of(found["run"], spec.experiment)
        source = reader_over(self._find_store(), wanted, "forked").run(wanted)
        if step is None:
            step = max((one.last_step for one in source.metrics.all(rank="all")), default=-1.0)
        else:
            self._tell_beyond(source.record, step, "The fork at step ")
        fork = ForkSource(
            source.record, dict(source.params.flat), step, definitions_of(self._find_store(), source.id)
        )
        return replace(spec, fork=fork)

    def _check_fork(self, known: model.Run, spec: RunSpec, fork_from: object) -> None:
        """Refuse to fork a run that goes on, unless it is that fork: the same program was started again.

        Raises:
            ConfigurationError: it is another one.
        """
        was = past_of(known).fork
        try:
            wanted = self._forked(spec, fork_from).fork
        except RunNotFoundError:  # it was removed since
            wanted = None
        if was is None or (wanted is not None and wanted.record.run_id != was.run_id):
            raise ConfigurationError(
                f"fork_from={shown(fork_from)} cannot be used for run {known.run_id[:8]} ({known.name!r}), which goes on: it is no "
                "fork of that run.\n"
                "  Leave resume= and the id out to start a fork, or leave fork_from= out to go on."
            )

    def id_of(self, wanted: str, experiment: str | None) -> str:
        """Return the id of the run that was started with this id of the caller's own; `wanted` where there is none."""
        if not self._is_on:
            return wanted
        run_id = other.run_id_of(wanted, experiment or self._default_experiment)
        store = self._find_store()
        return wanted if store is None or store.get_run(run_id) is None else run_id

    def resumed_from(
        self, resume_from: object, spec: RunSpec, resume: object, key: object
    ) -> tuple[str, str]:
        """Return what wandb's `resume_from="RUN?_step=200"` means: the run to resume, and the step to rewind it to.

        Raises:
            ConfigurationError: it names no run and step, or another run than the id.
        """
        found = _AT_STEP.fullmatch(resume_from) if isinstance(resume_from, str) else None
        if found is None or _number(found["step"]) is None:
            raise ConfigurationError(
                f"resume_from={shown(resume_from)} cannot be used: it does not name a run and a step.\n"
                '  Pass resume_from="RUN?_step=200", with the id or name of a run.'
            )
        wanted = self.id_of(found["run"], spec.experiment)
        if key is not None and key != found["run"]:
            raise ConfigurationError(
                f"id={shown(key)} and resume_from={shown(resume_from)} name two runs.\n"
                "  Leave id= out: the run that goes on keeps its id."
            )
        if resume is not None and resume is not False and resume != found["run"]:
            other.tell_without_effect("init", {"resume": resume}, "resume_from= says which run goes on")
        return wanted, found["step"]

    def _parent(self, parent: object) -> object:
        """Return the run that was given as the parent, in the form that `RunSpec` takes.

        Raises:
            ConfigurationError: it names a run and there is no store.
            RunNotFoundError: there is no such run.
            AmbiguousRunError: several ids begin so.
        """
        if parent is None or parent is False or isinstance(parent, (Run, ParentRun)):
            return parent
        from otel_experiments.query import RunView  # noqa: PLC0415 - only where a stored run is the parent

        if isinstance(parent, str):
            store = self._find_store() if is_run_id(parent) else None
            if is_run_id(parent) and (store is None or store.get_run(parent) is None):
                return ParentRun(parent)  # it is recorded elsewhere
            parent = reader_over(self._find_store(), parent, "the parent of a run").run(parent)
        if isinstance(parent, RunView):
            return ParentRun(parent.id, parent.experiment, parent.group)
        return parent  # which `create_run` refuses

    def _stored(self, run_id: str, key: str) -> Before | None:
        """Return the run with exactly this id; None where there is none. `key` is what the caller named it by.

        Raises:
            RunRemovedError: it was removed.
        """
        from otel_experiments.query import Reader  # noqa: PLC0415 - as above

        store = self._find_store()
        known = None if store is None else store.get_run(run_id)
        if store is None or known is None or not known.attempt:  # 0: only what another rank knows of it
            return None
        reader = Reader(store)
        if known.removed_ns is not None:
            raise RunRemovedError(run=known.name, run_id=run_id, store=reader.location, key=key)
        return before_of(self._find_store(), reader.run(run_id))

    def _crashed(self, experiment: str | None, name: str | None) -> Before | None:
        """Return the newest run of the experiment (and of that name), if it did not end well; None otherwise."""
        from otel_experiments.query import Reader  # noqa: PLC0415 - as above

        wanted = experiment or self._default_experiment
        store = self._find_store()
        if store is None or wanted not in {one.name for one in store.experiments()}:
            return None
        where = None if name is None else Comparison(RunField("name"), "==", name)
        found = Reader(store).runs(where, experiment=wanted, limit=1)
        if not found or not self._is_unwell(found[0]):
            return None
        if self._holder_of(found[0].id) is not None:
            return None  # another process goes on with it
        again = reader_over(self._find_store(), found[0].id, "resumed").run(found[0].id)
        return before_of(self._find_store(), again) if self._is_unwell(again) else None

    def _is_unwell(self, run: RunView) -> bool:
        return run.state in _UNWELL or self._is_of_this_job(run.record)

    def _tell_beyond(self, run: model.Run, step: float, what: str) -> None:
        """Say that a step at which a run is to go on is after all that it recorded."""
        if self._rank is not None and self._rank.number:
            return
        views = reader_over(self._find_store(), run.run_id, "read").run(run.run_id).metrics.all(rank="all")
        if any(view.last_step >= step for view in views):
            return
        steps = [view.points().steps for view in views]
        last = max((max(some) for some in steps if some), default=None)
        if last is not None and step > last:
            tell(
                _logger,
                "%s%g is after the last step of run %s (%s), which is %g: all of its points count. "
                "Pass a step up to that one if fewer are to.",
                what, step, run.run_id[:8], shown(run.name), last,
            )  # fmt: skip

    def _is_of_this_job(self, known: model.Run) -> bool:
        return self._rank is not None and self._rank.has_begun(known)


def membership_here() -> Membership | None:
    """Return the run that this process joins where it starts one; None where it has joined, or is to join none."""
    found = read_membership(os.environ)
    return None if found is None or found.run_id in active_runs else found


def _rewound(spec: RunSpec, before: Before | None, rewind_to: object) -> RunSpec:
    """Return what is given of a run with the step that it goes on from.

    Raises:
        ConfigurationError: it is no step, or no run goes on.
    """
    if rewind_to is None:
        return spec
    step = _number(rewind_to)
    if step is None:
        raise ConfigurationError(
            f"rewind_to={shown(rewind_to)} cannot be used: it is no step.\n  Pass a number: the last step that counts."
        )
    if before is None:
        raise ConfigurationError(
            f"rewind_to={rewind_to!r} needs a run that goes on, and none does.\n  Pass resume=ID as well."
        )
    return replace(spec, rewind_to=step)


def _number(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    try:
        step = float(given)
    except (ValueError, OverflowError):
        return None
    return step if math.isfinite(step) else None

"""What a run records besides spans: points, params, tags, events, counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Never, cast, get_args

from otel_experiments.codec.number import plain_number
from otel_experiments.codec.plain import plain_value
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import ConfigurationError, InvalidNameError
from otel_experiments.journal import encode
from otel_experiments.model.batch import MetricDefinition
from otel_experiments.model.metric import Direction
from otel_experiments.model.run import ParamValue
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.other_trackers import tell_unknown, tell_without_effect
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.base.span_limits import MAX_ATTRIBUTES
from otel_experiments.record.base.value_loss import Tell, tell_nobody, told_of
from otel_experiments.record.metrics.instruments import OwnInstruments
from otel_experiments.record.metrics.points import PointRecorder
from otel_experiments.record.params.config import Config
from otel_experiments.record.params.flatten import flatten_params
from otel_experiments.record.params.value import kept_tag
from otel_experiments.record.pipeline.pipeline import Pipeline
from otel_experiments.record.pipeline.providers import RunProviders
from otel_experiments.record.spans.scopes import ScopedRun
from otel_experiments.semconv import metrics

if TYPE_CHECKING:
    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter


_DIRECTION_WORDS: Final = {"min": "min", "minimize": "min", "max": "max", "maximize": "max"}
_MAX_AMOUNT: Final = 2**63
_DIRECTIONS: Final = (None, *get_args(Direction))


class Recording(ScopedRun):
    """What a run offers for writing things down. Nothing here raises into training code."""

    pipeline: Pipeline
    providers: RunProviders
    config: Config
    _points: PointRecorder
    instruments: OwnInstruments
    _stamped_ns: int

    def log(
        self,
        values: Mapping[str, Any],  # numbers of any library: whatever has __float__
        step: float | None = None,
        commit: bool | None = None,  # noqa: FBT001 - as in other trackers
        sync: bool | None = None,  # noqa: FBT001 - as above
        *,
        epoch: float | None = None,
        phase: str | None = None,
        **unknown: Never,
    ) -> None:
        """Record one value for each metric at one step.

        When the call returns, SIGKILL loses none of it. Steps may repeat, go back or be floats; without one,
        each metric gets its highest step so far plus one, from 0 on. NaN and infinities are kept exactly. `epoch` is
        recorded as a metric of that name, `phase` (train, validation, test, or any text) makes a series of its
        own. Nested mappings make dotted names. What is not a number is counted and told once for its name;
        the other values of the call are kept.
        `commit` and `sync` are there for calls written for other trackers, and do nothing.

        Units: the metrics' own.
        """
        self._points.log(values, step, commit, sync, epoch=epoch, phase=phase, **unknown)

    def log_metric(
        self, name: str, value: Any, *, step: float | None = None, phase: str | None = None
    ) -> None:
        """Record one value of one metric; see `log`."""
        self._points.log(self._pair(name, value, "metric name"), step, phase=phase)

    def log_metric_at(self, name: str, step: float, value: Any, *, phase: str | None = None) -> None:
        """Record one value of one metric at a step; see `log`."""
        self._points.log(self._pair(name, value, "metric name"), step, phase=phase)

    def _pair(self, name: Any, value: Any, kind: str) -> dict[Any, Any]:
        """Return the mapping of one name; an empty one, and a loss told, where the name can be no key."""
        try:
            return {name: value}
        except TypeError:
            self.guard.lost(
                kind,
                f"The {kind} {shown(name)} cannot be used: it is of type {type(name).__name__}, not a text",
                name=text_of(name),
            )
            return {}

    def next_step(self, name: str, *, phase: str | None = None) -> float:
        """Return the step that the metric's next point gets when none is given."""
        return self._points.next_step(name, phase)

    def define_metric(
        self,
        pattern: str,
        step_metric: str | None = None,
        step_sync: bool | None = None,  # noqa: FBT001 - as above
        hidden: bool | None = None,  # noqa: FBT001 - as above
        summary: str | None = None,
        goal: str | None = None,
        overwrite: bool | None = None,  # noqa: FBT001 - as above
        *,
        direction: Direction | None = None,
        **unknown: Never,
    ) -> None:
        """Declare which direction of a metric is better (`min` or `max`); `pattern` may be a glob: `val/*`.

        The arguments between are there for calls written for other trackers: `goal` and `summary` say the direction
        where they can, the others do nothing.
        """
        if self.gate.is_closed:
            self.gate.refuse("metric definition")
            return
        with self.guard:
            tell_unknown(self.guard, "run.define_metric", unknown)
            ignored = {
                "step_metric": step_metric,
                "step_sync": step_sync,
                "hidden": hidden,
                "overwrite": overwrite,
            }
            tell_without_effect("run.define_metric", ignored)
            if direction is None:
                direction = cast(
                    "Direction | None", _DIRECTION_WORDS.get(f"{goal}") or _DIRECTION_WORDS.get(f"{summary}")
                )
            if direction not in _DIRECTIONS:
                self.guard.lost(
                    "metric direction",
                    f"Metric {pattern!r} has no direction {direction!r:.60}, only 'min' and 'max' (and None); "
                    "it is declared without one",
                    name=text_of(pattern),
                )
                direction = None
            try:
                definition = MetricDefinition(self.id, clean_name(pattern, "metric name"), direction)
            except InvalidNameError as error:
                self._refuse_name(error)
                return
            self._keep(encode.encode_metric_definition(definition), "Metric definitions")

    def log_params(self, params: object) -> None:
        """Record params: a mapping, Namespace, dataclass or pydantic model, nested as it likes; later values win."""
        with self.guard:
            try:
                flat = flatten_params(params, self._refuse_name, self._tell_changed)
            except TypeError as error:
                if is_interruption(error):
                    raise
                self.guard.lost("params", str(error))
                return
            self.config.merge(flat)  # in a pause, too: the program reads there what it has set
            if self.gate.is_closed:
                self.gate.refuse("param", flat)
            else:
                self._write_params(self.pipeline.redactor.mapping(flat, "param"))

    def log_param(self, name: str, value: object) -> None:
        """Record one param."""
        self.log_params(self._pair(name, value, "param name"))

    def set_tag(self, key: str, value: object = "") -> None:
        """Set a tag; None removes it."""
        self.set_tags(self._pair(key, value, "tag"))

    def set_tags(self, tags: Mapping[str, object] | Iterable[str]) -> None:
        """Set tags: a mapping, or names whose value is empty."""
        with self.guard:
            try:
                cleaned = clean_tags(tags, self._refuse_name, self._tell_changed)
            except ConfigurationError as error:
                self.guard.lost("tag", str(error))
                return
            if self.gate.is_closed:
                self.gate.refuse("tag", cleaned)
            else:
                self._write_tags(self.pipeline.redactor.mapping(cleaned, "tag"))

    def _write_params(self, params: Mapping[str, ParamValue]) -> None:
        self._keep(encode.encode_params(self.id, params, self._stamp_ns()), "Params", len(params))

    def _write_tags(self, tags: Mapping[str, str | None]) -> None:
        self._keep(encode.encode_tags(self.id, tags, self._stamp_ns()), "Tags", len(tags))

    def _stamp_ns(self) -> int:
        """Return the time for what replaces what was written before: never earlier, though the clock is set back."""
        self._stamped_ns = now_ns = max(self.pipeline.clock(), self._stamped_ns + 1)
        return now_ns

    def _keep(self, payload: bytes, things: str, count: int = 1) -> None:
        """Write to the journal; what it does not take is counted and told."""
        if not self.pipeline.journal.append(payload):
            self.guard.lost(*why_not_kept(self.pipeline.journal, things), count=count)

    def _refuse_name(self, error: InvalidNameError, count: int = 1) -> None:
        self.guard.lost("name", f"{error} What it names is lost", name=error.name, count=count)

    def _tell_changed(self, kind: str, name: str, what: str) -> None:
        self.guard.lost(kind, what, name=name)

    def emit(self, event_name: str, body: Any = None, attributes: Mapping[str, Any] | None = None) -> None:
        """Record an event of the run: a log record with a name. `body` is any value, unlimited in size.

        An event whose name is empty or not a text is not recorded; a warning and the run's losses say so.
        """
        if self.gate.is_closed:
            self.gate.refuse("event")
            return
        with self.guard:
            try:
                event_name = clean_name(event_name, "event name")
            except InvalidNameError as error:
                self._refuse_name(error)
                return
            on_loss = told_of(event_name, self._tell_changed, subject="A value of event")
            redactor = self.pipeline.redactor
            body = plain_value(body, on_loss=on_loss)
            attributes = cast("Mapping[str, Any]", plain_value(attributes or {}, on_loss=on_loss))
            excess = len(attributes) - MAX_ATTRIBUTES + ("" in attributes)
            if excess > 0 or "" in attributes:
                self.guard.lost(
                    "event attributes",
                    f"Event {shown(event_name)} has more attributes than an event may have, or one without a name",
                    name=text_of(event_name),
                    count=max(1, excess),
                )
            self._write_event(
                event_name,
                redactor.value("", body, f"body of event {event_name!r}"),
                redactor.mapping(attributes, "event attribute"),
            )

    def _write_event(self, event_name: str, body: object, attributes: Mapping[str, Any]) -> None:
        """Write an event that holds no secrets."""
        is_kept = self.providers.events.write(
            event_name,
            time_ns=self.pipeline.clock(),
            context=self.context_here(),
            body=body,
            attributes=attributes,
        )
        if not is_kept:
            self.guard.lost(*why_not_kept(self.pipeline.journal, "Events"))

    def count(self, *, samples: int = 0, tokens: int = 0) -> None:
        """Add to the run's counters of samples and tokens trained on."""
        if self.gate.is_closed:
            self.gate.refuse("count of samples or tokens")
            return
        with self.guard:
            told = ((metrics.ML_TRAINING_SAMPLES, samples), (metrics.ML_TRAINING_TOKENS, tokens))
            for definition, amount in told:
                if not amount:
                    continue
                if self.providers.is_in_child:
                    self.guard.lost(
                        "instrument",
                        "run.count was called in a forked process, where no metric is collected; count in the process that "
                        "started the run",
                        name=definition.name,
                    )
                    continue
                number = plain_number(amount)
                if 0 <= number < _MAX_AMOUNT:
                    self.instruments.tell(definition, number)
                else:
                    what = f"run.count takes amounts from 0 to 2**63, not {shown(amount)}; it is not counted"
                    self.guard.lost("instrument", what, name=definition.name)

    @property
    def meter(self) -> Meter:
        """A meter for instruments of your own; what they collect goes to the store and to OTLP."""
        return self.providers.user_meter

    @property
    def logger(self) -> Logger:
        """A logger for log records of your own."""
        return self.providers.logger


def clean_tags(
    tags: Mapping[str, object] | Iterable[str],
    refuse: Callable[[InvalidNameError], None] | None = None,
    tell: Tell = tell_nobody,
) -> dict[str, str | None]:
    """Return tags as they are recorded: texts by name; None removes.

    A name that cannot be used is handed to `refuse`, if there is one, and left out. `tell` is told of every text that
    is not kept exactly.

    Raises:
        InvalidNameError: a tag's name is empty.
        ConfigurationError: these are no tags.
    """
    if not isinstance(tags, Iterable):
        raise ConfigurationError(
            f"Tags are a mapping or a list of names, not {type(tags).__name__}.\n"
            '  Pass {"team": "vision"} or ["baseline"].'
        )
    try:
        items = (
            list(tags.items())
            if isinstance(tags, Mapping)
            else [(tag, "") for tag in ([tags] if isinstance(tags, str) else tags)]
        )
    except Exception as error:  # a foreign mapping may do anything
        if is_interruption(error):
            raise
        raise ConfigurationError(
            f"The tags cannot be read: {type(tags).__name__} raised {type(error).__name__}: {error}\n"
            '  Pass {"team": "vision"} or ["baseline"].'
        ) from error
    cleaned: dict[str, str | None] = {}
    for key, value in items:
        try:
            name = clean_name(key, "tag")
        except InvalidNameError as error:
            if refuse is None:
                raise
            refuse(error)
            continue
        cleaned[name] = None if value is None else kept_tag(text_of(value), name, tell)
    return cleaned

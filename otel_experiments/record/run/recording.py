"""What a run records besides spans: points, params, tags, events, counts. `Run` has the documentation of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from otel_experiments.codec.number import plain_number
from otel_experiments.codec.plain import plain_value
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import ConfigurationError, InvalidNameError
from otel_experiments.journal import encode
from otel_experiments.model.batch import MetricDefinition
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.other_trackers import tell_unknown, tell_without_effect
from otel_experiments.record.base.span_limits import MAX_ATTRIBUTES
from otel_experiments.record.base.value_loss import Tell, tell_nobody, told_of
from otel_experiments.record.metrics.definitions import Definitions, GivenDefinition
from otel_experiments.record.params.config import Config
from otel_experiments.record.params.flatten import flatten_params
from otel_experiments.record.params.value import kept_tag
from otel_experiments.record.run.core import RunCore
from otel_experiments.record.run.given_values import GivenValues
from otel_experiments.record.run.summary import RunSummary
from otel_experiments.semconv import metrics

_MAX_AMOUNT: Final = 2**63


class Recording:
    """The part of a run that writes things down. Nothing here raises into training code.

    Attributes:
        config: the params, with attribute access.
        summary: what the run comes to.
    """

    def __init__(self, core: RunCore, values: GivenValues) -> None:
        self._core = core
        self._values = values
        self._definitions = Definitions(core.id, core.guard)
        self.config = Config(self, core.identity.params)
        self.summary = RunSummary(core)

    def log_metric(self, name: Any, value: Any, step: Any, phase: str | None, **at: Any) -> None:
        """Record one value of one metric."""
        self._core.log(self._pair(name, value, "metric name"), step, phase=phase, **at)

    def _pair(self, name: Any, value: Any, kind: str) -> dict[Any, Any]:
        """Return the mapping of one name; an empty one, and a loss, where the name can be no key."""
        try:
            return {name: value}
        except TypeError:
            self._core.guard.lost(
                kind,
                f"The {kind} {shown(name)} cannot be used: it is of type {type(name).__name__}, not a text",
                name=text_of(name),
            )
            return {}

    def define_metric(
        self,
        pattern: str,
        given: GivenDefinition,
        ignored: Mapping[str, object],
        unknown: Mapping[str, object],
    ) -> None:
        """Declare how the metrics are to be read that `pattern` fits."""
        core = self._core
        if core.gate.is_closed:
            core.gate.refuse("metric definition")
            return
        with core.guard:
            tell_unknown(core.guard, "run.define_metric", unknown)
            tell_without_effect("run.define_metric", ignored)
            try:
                definition = self._definitions.make(pattern, given)
            except InvalidNameError as error:
                self._refuse_name(error)
                return
            self._write_definition(definition)

    def _write_definition(self, definition: MetricDefinition) -> None:
        core = self._core
        core.keep(encode.encode_metric_definition(definition), "Metric definitions")
        core.pipeline.run_events.write_definition(definition, core.stamp_ns())

    def go_on_with(self, definitions: Iterable[MetricDefinition]) -> None:
        """Add what this process declares to what earlier attempts have declared."""
        self._definitions.know(definitions)

    def inherit(self, definitions: Iterable[MetricDefinition]) -> None:
        """Declare what the run has declared that this one is a fork of."""
        with self._core.guard:
            for definition in self._definitions.know(definitions):
                self._write_definition(definition)

    def log_params(self, params: object) -> None:
        """Record params."""
        core = self._core
        with core.guard:
            try:
                flat = flatten_params(params, self._refuse_name, self._tell_changed)
            except TypeError as error:
                if is_interruption(error):
                    raise
                core.guard.lost("params", str(error))
                return
            self.config.merge(flat)  # in a pause, too: the program reads there what it has set
            if core.gate.is_closed:
                core.gate.refuse("param", flat)
            else:
                self._values.write_params(core.pipeline.redactor.mapping(flat, "param"))

    def log_param(self, name: str, value: object) -> None:
        """Record one param."""
        self.log_params(self._pair(name, value, "param name"))

    def set_tag(self, key: str, value: object) -> None:
        """Set a tag; None removes it."""
        self.set_tags(self._pair(key, value, "tag"))

    def set_tags(self, tags: Mapping[str, object] | Iterable[str]) -> None:
        """Set tags."""
        core = self._core
        with core.guard:
            try:
                cleaned = clean_tags(tags, self._refuse_name, self._tell_changed)
            except ConfigurationError as error:
                core.guard.lost("tag", str(error))
                return
            if core.gate.is_closed:
                core.gate.refuse("tag", cleaned)
            else:
                self._values.write_tags(core.pipeline.redactor.mapping(cleaned, "tag"))

    def _refuse_name(self, error: InvalidNameError, count: int = 1) -> None:
        self._core.guard.lost("name", f"{error} What it names is lost", name=error.name, count=count)

    def _tell_changed(self, kind: str, name: str, what: str) -> None:
        self._core.guard.lost(kind, what, name=name)

    def emit(self, event_name: str, body: Any, attributes: Mapping[str, Any] | None) -> None:
        """Record an event of the run."""
        core = self._core
        if core.gate.is_closed:
            core.gate.refuse("event")
            return
        with core.guard:
            try:
                event_name = clean_name(event_name, "event name")
            except InvalidNameError as error:
                self._refuse_name(error)
                return
            on_loss = told_of(event_name, self._tell_changed, subject="A value of event")
            redactor = core.pipeline.redactor
            body = plain_value(body, on_loss=on_loss)
            attributes = cast("Mapping[str, Any]", plain_value(attributes or {}, on_loss=on_loss))
            excess = len(attributes) - MAX_ATTRIBUTES + ("" in attributes)
            if excess > 0 or "" in attributes:
                core.guard.lost(
                    "event attributes",
                    f"Event {shown(event_name)} has more attributes than an event may have, or one without a name",
                    name=text_of(event_name),
                    count=max(1, excess),
                )
            core.write_event(
                event_name,
                redactor.value("", body, f"body of event {event_name!r}"),
                redactor.mapping(attributes, "event attribute"),
            )

    def count(self, samples: int, tokens: int) -> None:
        """Add to the run's counters of samples and tokens trained on."""
        core = self._core
        if core.gate.is_closed:
            core.gate.refuse("count of samples or tokens")
            return
        with core.guard:
            told = ((metrics.ML_TRAINING_SAMPLES, samples), (metrics.ML_TRAINING_TOKENS, tokens))
            for definition, amount in told:
                if not amount:
                    continue
                if core.providers.is_in_child:
                    core.guard.lost(
                        "instrument",
                        "run.count was called in a forked process, where no metric is collected; count in the process that "
                        "started the run",
                        name=definition.name,
                    )
                    continue
                number = plain_number(amount)
                if 0 <= number < _MAX_AMOUNT:
                    core.instruments.tell(definition, number)
                else:
                    what = f"run.count takes amounts from 0 to 2**63, not {shown(amount)}; it is not counted"
                    core.guard.lost("instrument", what, name=definition.name)


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

"""What is stored, without what says who and where: for a file that leaves the house.

Ids of runs, traces and spans become others, the same for the same id and salt, so that files that were made together still go
together. Left out are the attributes that name a person, machine, path, command line or repository (`DROPPED`). In every
other text a path, an address of a network, a URL, an e-mail address, and the names of machines and users that the run's
resource gave are replaced by what they were (`<path>`). What stays: names of experiments, runs, metrics, params, tags, spans and
artifacts, numbers, times, and texts without any of these. Free text may say more than patterns find: read it before you
publish it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed, StoredArtifact
from otel_experiments.model.batch import RunStateChange, WriteBatch
from otel_experiments.model.edit import RunEdit
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.loss import Loss
from otel_experiments.model.run import Run, RunFacts
from otel_experiments.model.span import Event, Link, Resource, Scope, Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_OUTPUT, ML_TELEMETRY_LOSS

DROPPED: Final = (
    "client", "cloud", "container", "device", "enduser", "faas", "host", "k8s", "net", "network", "os", "peer", "process",
    "server", "source", "destination", "session", "url", "user", "user_agent", "vcs",
)  # fmt: skip
"""The namespaces of attributes that are left out, but for `KEPT`."""
KEPT: Final = frozenset({
    attr.HOST_ARCH, attr.OS_TYPE, attr.OS_NAME, attr.OS_VERSION, attr.NETWORK_IO_DIRECTION,
    attr.PROCESS_RUNTIME_NAME, attr.PROCESS_RUNTIME_VERSION, attr.PROCESS_CREATION_TIME,
})  # fmt: skip
"""Attributes of these namespaces that say what ran, and not where or whose."""
_ALSO_DROPPED: Final = frozenset({
    attr.ARTIFACT_FILENAME, attr.CODE_FILE_PATH, attr.CODE_STACKTRACE, attr.ML_ARTIFACT_URI, attr.ML_CHECKPOINT_URI, attr.ML_RUN_TRACE_URL,
})  # fmt: skip
_USERS: Final = (attr.PROCESS_OWNER,)
_MACHINES: Final = (attr.HOST_NAME, attr.HOST_ID)
_COMMON: Final = frozenset({
    "admin", "app", "default", "docker", "home", "host", "jovyan", "local", "localhost", "root", "runner", "server",
    "test", "ubuntu", "user", "users", "work", "worker", "workspace",
})  # fmt: skip
"""Names of machines and users that say nothing, and are words of other texts."""
_LEAST_NAME: Final = 3
_IN_HOME: Final = re.compile(r"(?:/home/|/Users/|[Cc]:\\Users\\)([^/\\\s:]+)")

# Each repetition that something else has to follow has a bound: a long text without it takes time in proportion to its length.
_URL: Final = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s'\"<>]+|[\w.-]{1,64}@[\w.-]{1,255}:[\w./~-]+")
_MAIL: Final = re.compile(r"[\w.+-]{1,64}@(?:[A-Za-z][\w-]{1,62}(?:\.[\w-]{1,63})*|(?:\d{1,3}\.){3}\d{1,3})")
"""`recall@10` and `mAP@0.5` are names of metrics."""
_ADDRESS: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_NUMBERED: Final = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f]{4}:[0-9A-Fa-f:]{0,35}:|(?:[0-9A-Fa-f]{1,4}:){5})"
    r"(?=[0-9A-Fa-f:]{0,40}::|(?:[0-9A-Fa-f]{1,4}:){5})[0-9A-Fa-f:]{6,45}(?:%\w{1,16})?(?![\w:])"
)
"""Addresses of IPv6, and of network cards."""
_WHOLE_PATH: Final = re.compile(r"(?:~[\w.-]*)?/|[A-Za-z]:[\\/]|\\\\")
_IN_PATH: Final = re.compile(r"[\w/\\]")
_PATH: Final = re.compile(
    r"(?:(?:(?<![\w/.<])|(?<=\A-[A-Za-z])|(?<=\s-[A-Za-z]))(?:~[\w.-]*/|/(?=[\w.~-])|[A-Za-z]:[\\/]|\\\\)"
    r"|/(?:home|Users)/)[^\s'\"<>|:;,)\]}]*"
    r"(?: [^\s'\"<>|:;,)\]}/\\]+[/\\][^\s'\"<>|:;,)\]}]*)*(?: [\w-]{1,64}\.[A-Za-z]\w{0,9}(?![\w.]))?"
)
"""A path may go on after a space, where what comes next has a slash in it or the ending of a file."""
_HEX: Final = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-f]{32}|[0-9a-f]{16})(?![0-9A-Za-z])")
_UUID: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9A-Za-z])")
_ZERO: Final = re.compile(r"0+")
_SEPARATORS: Final = re.compile(r"[/\\]+")
_ARTIFACT: Final = "artifact"
"""What the kinds of losses begin with whose name is that of a file."""


class Anonymizer:
    """Makes what is stored anonymous; the same id becomes the same with one salt.

    Args:
        salt: any text; without it a new one, which nobody keeps: then the ids of two exports have nothing in common.
    """

    def __init__(self, salt: str | None = None) -> None:
        given = secrets.token_bytes(32) if salt is None else salt.encode("utf-8", "surrogatepass")
        self._key = hashlib.blake2b(given, digest_size=32).digest()
        self._words: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def id(self, text: str) -> str:
        """Return the id that stands for a run, trace or span: as many hexadecimal digits; "" and zeros stay."""
        if _ZERO.fullmatch(text) or not text:
            return text
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32)
        return digest.hexdigest()[: len(text)] if len(text) <= 64 else digest.hexdigest()

    def optional_id(self, text: str | None) -> str | None:
        """Return the id that stands for one that may lack."""
        return None if text is None else self.id(text)

    def learn(self, run: Run) -> None:
        """Take the names of the machine and the user from a run, so that they are found in texts."""
        self._learn(run.resource, () if run.owner is None else (run.owner.host,))

    def learn_attributes(self, resource: Mapping[str, Any]) -> None:
        """Take the names from the attributes of a resource."""
        self._learn(resource)

    def learn_all(self, *parts: Sequence[Span | LogRecord | InstrumentPoint]) -> None:
        """Take the names from telemetry that is read together: other ranks have resources of their own."""
        for part in parts:
            for resource in {id(item.resource): item.resource for item in part}.values():
                self._learn(resource.attributes)

    def _learn(self, resource: Mapping[str, Any], hosts: Sequence[object] = ()) -> None:
        machines = [*hosts, *(resource.get(key) for key in _MACHINES)]
        machines += [
            one.partition(".")[0] for one in machines if isinstance(one, str) and not _ADDRESS.match(one)
        ]
        users = [resource.get(key) for key in _USERS]
        texts: list[object] = list(resource.values())
        for value in texts:
            found = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
            users += [name for text in found if isinstance(text, str) for name in _IN_HOME.findall(text)]
        for names, shown in ((machines, "<host>"), (users, "<user>")):
            for name in names:
                is_name = isinstance(name, str) and len(name) >= _LEAST_NAME
                lowered = str(name).lower()
                if is_name and lowered not in _COMMON and lowered not in self._words:
                    self._words[lowered] = shown
                    self._pattern = None

    def text(self, text: str) -> str:
        """Return a text without what its patterns find."""
        if not text:
            return text
        if "\n" not in text and (whole := _WHOLE_PATH.match(text)) and _IN_PATH.search(text, whole.end()):
            return "<path>"
        changed = _URL.sub("<url>", text)
        changed = _MAIL.sub("<email>", changed)
        changed = _PATH.sub("<path>", changed)
        changed = _ADDRESS.sub("<address>", changed)
        changed = _NUMBERED.sub("<address>", changed)
        changed = _UUID.sub(self._other_uuid, changed)
        changed = _HEX.sub(lambda found: self.id(found[0]), changed)
        if self._words:
            changed = self._words_pattern.sub(lambda found: self._words[found[0].lower()], changed)
        return changed

    def _other_uuid(self, found: re.Match[str]) -> str:
        digits = self.id(found[0].replace("-", ""))
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    @property
    def _words_pattern(self) -> re.Pattern[str]:
        if self._pattern is None:
            longest_first = sorted(self._words, key=len, reverse=True)
            either = "|".join(map(re.escape, longest_first))
            self._pattern = re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)
        return self._pattern

    # Any: what is stored as a value: texts, numbers, lists and mappings of them.
    def value(self, value: Any) -> Any:
        """Return a value with its texts, at any depth, without what patterns find; keys stay, but those that are left out."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): one for key, one in self.attributes(value).items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
            return [self.value(one) for one in value]
        return value

    def chosen(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return params or tags, whose names a user chose: none is left out for what it is called."""
        return {key: self.value(value) for key, value in values.items()}

    def attributes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return attributes without those that are left out."""
        return {key: self.value(value) for key, value in values.items() if not is_dropped(key)}

    def resource(self, resource: Resource) -> Resource:
        """Return a resource without those that are left out."""
        return Resource(self._resource_attributes(resource.attributes), resource.schema_url)

    def _resource_attributes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return attributes of a resource; a service that has the name of its working folder says where it ran."""
        found = self.attributes(values)
        folder = values.get(attr.PROCESS_WORKING_DIRECTORY)
        if isinstance(folder, str) and found.get(attr.SERVICE_NAME) in _SEPARATORS.split(folder):
            found[attr.SERVICE_NAME] = "<folder>"
        return found

    def _scope(self, scope: Scope) -> Scope:
        return replace(scope, attributes=self.attributes(scope.attributes)) if scope.attributes else scope

    def run(self, run: Run) -> Run:
        """Return a run without its owner; see `learn`, which has to come first for all runs of an export."""
        facts: dict[str, Any] = {one.name: self.text(getattr(run, one.name)) for one in fields(RunFacts)}
        return replace(
            run,
            run_id=self.id(run.run_id),
            experiment=self.text(run.experiment),
            name=self.text(run.name),
            parent_run_id=self.optional_id(run.parent_run_id),
            root_span_id=self.optional_id(run.root_span_id),
            reason=self.text(run.reason),
            note=self.text(run.note),
            owner=None,
            resource=self._resource_attributes(run.resource),
            **facts,
        )

    def span(self, span: Span) -> Span:
        """Return a span with other ids."""
        return replace(
            span,
            trace_id=self.id(span.trace_id),
            span_id=self.id(span.span_id),
            parent_span_id=self.optional_id(span.parent_span_id),
            run_id=self.optional_id(span.run_id),
            name=self.text(span.name),
            status_message=self.text(span.status_message),
            attributes=self.attributes(span.attributes),
            events=tuple(self._event(event) for event in span.events),
            links=tuple(self._link(link) for link in span.links),
            resource=self.resource(span.resource),
            scope=self._scope(span.scope),
            trace_state="",
        )

    def _event(self, event: Event) -> Event:
        return replace(event, name=self.text(event.name), attributes=self.attributes(event.attributes))

    def _link(self, link: Link) -> Link:
        return replace(
            link,
            trace_id=self.id(link.trace_id),
            span_id=self.id(link.span_id),
            attributes=self.attributes(link.attributes),
            trace_state="",
        )

    def log_record(self, record: LogRecord) -> LogRecord:
        """Return a log record or event with other ids."""
        is_snapshot = record.event_name == ML_RUN_ENVIRONMENT.name
        attributes = self.attributes(record.attributes)
        if record.event_name == ML_TELEMETRY_LOSS.name and attr.ML_LOSS_NAME in attributes:
            attributes[attr.ML_LOSS_NAME] = self._lost_name(
                str(attributes.get(attr.ML_LOSS_KIND)), str(attributes[attr.ML_LOSS_NAME])
            )
        return replace(
            record,
            event_name=self.text(record.event_name),
            body=self.value(_without_code(record.body) if is_snapshot else record.body),
            attributes=attributes,
            trace_id=self.optional_id(record.trace_id),
            span_id=self.optional_id(record.span_id),
            run_id=self.optional_id(record.run_id),
            resource=self.resource(record.resource),
            scope=self._scope(record.scope),
        )

    def loss(self, loss: Loss) -> Loss:
        """Return what was lost; names of artifacts are left out, others stay."""
        return replace(loss, name=self._lost_name(loss.kind, loss.name))

    def _lost_name(self, kind: str, name: str) -> str:
        """Return what the lost item is called; an artifact that was not kept has the name of a file."""
        return "" if kind.startswith(_ARTIFACT) else self.text(name)

    def instrument_point(self, point: InstrumentPoint) -> InstrumentPoint:
        """Return a data point with other ids; its name stays."""
        return replace(
            point,
            attributes=self.attributes(point.attributes),
            exemplars=tuple(self.attributes(one) for one in point.exemplars),
            run_id=self.optional_id(point.run_id),
            resource=self.resource(point.resource),
            scope=self._scope(point.scope),
            description=self.text(point.description),
        )

    def artifact(self, logged: ArtifactLogged) -> ArtifactLogged:
        """Return what is said of an artifact; its name and digest stay."""
        return replace(
            logged,
            run_id=self.id(logged.run_id),
            experiment=self.text(logged.experiment),
            file_name="",
            caption=self.text(logged.caption),
            metadata=self.attributes(logged.metadata),
            place="",
            span_id=self.id(logged.span_id),
        )

    def stored_artifact(self, stored: StoredArtifact) -> StoredArtifact:
        """Return the same of one with its version and aliases."""
        return replace(stored, logged=self.artifact(stored.logged))

    def artifact_use(self, used: ArtifactUsed) -> ArtifactUsed:
        """Return that a run used an artifact."""
        return replace(used, run_id=self.id(used.run_id), experiment=self.text(used.experiment))

    def alias(self, alias: AliasSet) -> AliasSet:
        """Return that an alias was set."""
        return replace(alias, run_id=self.id(alias.run_id), experiment=self.text(alias.experiment))

    def edit(self, edit: RunEdit) -> RunEdit:
        """Return an edit without who made it."""
        value = None if edit.value is None else self.text(edit.value)
        return replace(edit, run_id=self.id(edit.run_id), value=value, author="")

    def state_change(self, change: RunStateChange) -> RunStateChange:
        """Return that a run took another state."""
        return replace(change, run_id=self.id(change.run_id), reason=self.text(change.reason), owner=None)

    def batch(self, batch: WriteBatch) -> WriteBatch:
        """Return a page of `Store.whole_run`, or of `Store.stored_pages`; what was not sent and attached is not in it."""
        for run in batch.runs:
            self.learn(run)
        self.learn_all(batch.spans, batch.log_records, batch.instrument_points)
        return WriteBatch(
            runs=[self.run(one) for one in batch.runs],
            state_changes=[self.state_change(one) for one in batch.state_changes],
            heartbeats=[replace(one, run_id=self.id(one.run_id)) for one in batch.heartbeats],
            params=[
                replace(one, run_id=self.id(one.run_id), value=self.value(one.value)) for one in batch.params
            ],
            summaries=[
                replace(one, run_id=self.id(one.run_id), value=self.value(one.value))
                for one in batch.summaries
            ],
            tags=[
                replace(one, run_id=self.id(one.run_id), value=self.value(one.value)) for one in batch.tags
            ],
            metric_definitions=[replace(one, run_id=self.id(one.run_id)) for one in batch.metric_definitions],
            points=[replace(one, run_id=self.id(one.run_id)) for one in batch.points],
            spans=[self.span(one) for one in batch.spans],
            log_records=[self.log_record(one) for one in batch.log_records if not is_output(one)],
            instrument_points=[self.instrument_point(one) for one in batch.instrument_points],
            artifacts=[self.artifact(one) for one in batch.artifacts],
            artifact_uses=[self.artifact_use(one) for one in batch.artifact_uses],
            artifact_aliases=[self.alias(one) for one in batch.artifact_aliases],
            edits=[self.edit(one) for one in batch.edits],
        )


def is_output(record: LogRecord) -> bool:
    """Tell whether a log record holds lines that a program printed: they may name anybody and are left out."""
    return record.event_name == ML_RUN_OUTPUT.name


def _without_code(snapshot: Any) -> dict[str, Any]:
    """Return what is left of the event about a run's code, packages and machine: no code, job, or package of one's own."""
    parts: Mapping[str, Any] = snapshot if isinstance(snapshot, Mapping) else {}
    own, git, packages = (parts.get(name) for name in ("editable", "git", "packages"))
    found: dict[str, Any] = {"machine": parts["machine"]} if "machine" in parts else {}
    if isinstance(packages, str):
        names = set(own) if isinstance(own, Mapping) else set()
        lines = [line for line in packages.splitlines() if line.partition("==")[0] not in names]
        found["packages"] = "\n".join(lines)
    if isinstance(git, Mapping):
        found["git"] = {key: value for key, value in git.items() if isinstance(value, bool | int)}
    return found


def is_dropped(key: str) -> bool:
    """Tell whether an attribute of this name is left out."""
    namespace, dot, _ = key.partition(".")
    return key in _ALSO_DROPPED or (bool(dot) and namespace in DROPPED and key not in KEPT)

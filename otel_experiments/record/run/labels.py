"""What people call a run while it is recorded: `run.name = "best"`, `run.group`, `run.note`, `run.tags`.

A name, a group and a note that are assigned are edits of the run, as `otel_experiments.run(ID).rename` makes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.codec.plain import TEXT_CUT
from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import ConfigurationError, InvalidNameError
from otel_experiments.journal import encode
from otel_experiments.model.edit import MOST_NOTE_BYTES, EditField, RunEdit
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.process.user import user_name
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.notices import say_once
from otel_experiments.record.run.recording import clean_tags

if TYPE_CHECKING:
    from otel_experiments.record.run.core import RunCore
    from otel_experiments.record.run.recording import Recording

_FIXED: Final = ("id", "experiment", "tracer")
_ASSIGNED_ELSEWHERE: Final = {
    "state": "end the run with run.finish(state)",
    "experiment": "give it to start_run(experiment=...)",
    "id": "give an id of your own to start_run(key=...)",
    "summary": "add values with run.summary.update(values)",
}
"""What people may want to assign and cannot, and what does it."""


class RunTags(dict[str, str]):
    """The tags of a run, as this process knows them. A tag that is set is recorded; `run.tags += ["final"]` adds names."""

    def __init__(self, tags: Mapping[str, str], recording: Recording) -> None:
        super().__init__(tags)
        self._recording = recording

    def __setitem__(self, key: str, value: object) -> None:
        super().__setitem__(key, text_of(value))
        self._recording.set_tag(key, value)

    def __add__(self, names: Iterable[str]) -> dict[str, str]:
        return {**dict.fromkeys(names, ""), **self}


class Labels:
    """Changes what people call one run, and knows what they call it. Nothing here raises into training code."""

    def __init__(self, core: RunCore, recording: Recording) -> None:
        self._core = core
        self._recording = recording

    def rename(self, name: object) -> None:
        """Give the run another name."""
        core = self._core
        with core.guard:
            try:
                cleaned = clean_name(name, "run name")
            except InvalidNameError as error:
                core.guard.lost(
                    "name", f"{error} The run is still called {shown(core.name)}", name="run.name"
                )
                return
            if cleaned != core.name:
                core.name = cleaned
                self._write("name", cleaned)

    @property
    def group(self) -> str:
        """The group of the run; empty where it has none."""
        return self._core.identity.facts.group

    def regroup(self, group: object) -> None:
        """Put the run into another group; the empty one, or None, is none."""
        identity, guard = self._core.identity, self._core.guard
        with guard:
            try:
                cleaned = "" if group is None or group == "" else clean_name(group, "group")
            except InvalidNameError as error:
                guard.lost("name", f"{error} The run's group is still {shown(self.group)}", name="run.group")
                return
            if cleaned != self.group:
                identity.facts = replace(identity.facts, group=cleaned)
                self._write("group", cleaned)

    @property
    def note(self) -> str:
        """The note of the run; empty where it has none."""
        return self._core.identity.note

    def write_note(self, text: object) -> None:
        """Write the run's note; an empty one, or None, removes it."""
        core = self._core
        with core.guard:
            note = core.pipeline.redactor.text("" if text is None else text_of(text))
            raw = clean_text(note).encode("utf-8", "replace")
            if len(raw) > MOST_NOTE_BYTES:
                what = f"The note has {len(raw):,} bytes; {MOST_NOTE_BYTES:,} are kept. Keep the text as an artifact"
                core.guard.lost(TEXT_CUT, what, name="run.note")
            note = raw[:MOST_NOTE_BYTES].decode("utf-8", "ignore")
            if note != self.note:
                core.identity.note = note
                self._write("note", note)

    def give_note(self, text: object) -> None:
        """Write the note that the run is started with; a run that goes on keeps the one that it has."""
        if text is None:
            return
        if self.note and text != self.note:
            say_once(
                "init: notes= is not recorded: the run that goes on has a note, which somebody may have written since. "
                "run.notes = TEXT replaces it."
            )
        else:
            self.write_note(text)

    @property
    def tags(self) -> RunTags:
        """The tags of the run, as this process knows them: those of earlier attempts, and what it has given itself."""
        identity = self._core.identity
        whole = {**identity.known_tags, **identity.tags}
        return RunTags({key: value for key, value in whole.items() if value is not None}, self._recording)

    def retag(self, tags: Any) -> None:  # whatever was assigned; `clean_tags` refuses what is none
        """Have the run have these tags and no others; names leave the tags that have a value."""
        core, known = self._core, self.tags
        with core.guard:
            is_whole = isinstance(tags, Mapping)
            try:
                given = clean_tags(() if tags is None else tags, self._refuse)
            except ConfigurationError as error:
                core.guard.lost("tag", f"run.tags stays as it is: {error}", name="run.tags")
                return
            gone = [key for key, value in known.items() if key not in given and (is_whole or not value)]
            new = {
                key: value
                for key, value in given.items()
                if known.get(key) != value and (is_whole or key not in known)
            }
            if gone or new:
                self._recording.set_tags({**dict.fromkeys(gone), **new})

    def may_set(self, kind: type, name: str) -> bool:
        """Tell whether Python is to set an attribute of the run; say of one that means nothing here that it does not."""
        guard = self._core.guard
        member = next((vars(one)[name] for one in kind.__mro__ if name in vars(one)), None)
        if name in _FIXED or (isinstance(member, property) and member.fset is None):
            with guard:
                hint = _ASSIGNED_ELSEWHERE.get(name, "it follows from what the run records")
                guard.lost(
                    "attribute", f"run.{name} cannot be assigned, and stays as it is: {hint}", name=name
                )
            return False
        if member is None:
            with guard:
                self._tell_unknown(kind, name)
        return True

    def _tell_unknown(self, kind: type, name: str) -> None:
        with SignalsWait("difflib"):
            from difflib import get_close_matches  # noqa: PLC0415 - only where a name is misspelt

        near = get_close_matches(name, [one for one in dir(kind) if not one.startswith("_")], 1)
        what = f"run.{name} is not recorded: runs have no attribute of this name"
        if near:
            self._core.guard.lost("attribute", f"{what}. Did you mean run.{near[0]}?", name=name)
        else:
            say_once(f"{what}. Record it with run.log_params, run.set_tag or run.summary.")

    def _refuse(self, error: InvalidNameError) -> None:
        self._core.guard.lost("name", f"{error} What it names is lost", name=error.name)

    def _write(self, field: EditField, value: str) -> None:
        core = self._core
        if core.gate.is_closed:
            core.gate.refuse("name, group or note")
            return
        edit = RunEdit(core.id, field, value, core.stamp_ns(), user_name())
        core.keep(encode.encode_edit(edit), "Changes of name, group or note")
        core.pipeline.run_events.write_edit(edit)

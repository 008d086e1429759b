"""`tag_run`, `write_note` and `rename_run`: what may be changed where it is allowed. Nothing removes a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import OBJECT, TEXT, plain_name
from otel_experiments.query.json_values import plain

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place


def _tag(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    with place.open() as reader:
        run = reader.only_run(given["run"])
        run.set_tags(given["tags"])
        return Answer(f"Tagged run {run.short_id}.", {"run": plain_name(run), "tags": plain(run.tags)})


def _note(place: Place, given: Mapping[str, Any]) -> Answer:  # as above
    with place.open() as reader:
        run = reader.only_run(given["run"])
        before = run.note.rstrip()
        run.set_note(f"{before}\n\n{given['text']}" if given["append"] and before else given["text"])
        return Answer(f"Noted on run {run.short_id}.", {"run": plain_name(run), "note": run.note})


def _rename(place: Place, given: Mapping[str, Any]) -> Answer:  # as above
    with place.open() as reader:
        run = reader.only_run(given["run"])
        run.rename(given["name"])
        return Answer(f"Renamed run {run.short_id}.", {"run": plain_name(run)})


_RUN: Final = Argument(
    "run", "text", "the id of a run, the beginning of one, or a name that only one run has.", is_required=True
)
_TAGS: Final = Argument(
    "tags", "tags", 'tags with their values, such as {"team": "vision"}; null removes one.', is_required=True
)

TAG_RUN: Final = Tool(
    "tag_run",
    "Tag a run",
    "Set or remove tags of a stored run.",
    (_RUN, _TAGS),
    {"run": OBJECT, "tags": OBJECT},
    _tag,
    rest="show_run with part=tags has all tags.",
    changes=True,
)
WRITE_NOTE: Final = Tool(
    "write_note",
    "Write a run's note",
    "Write the note of a stored run, in Markdown, in place of the one that is there or below it.",
    (
        _RUN,
        Argument("text", "text", "the note; an empty text removes it.", is_required=True),
        Argument("append", "flag", "keep what is noted, and write below it.", default=False),
    ),
    {"run": OBJECT, "note": TEXT},
    _note,
    rest="The note is stored whole.",
    changes=True,
)
RENAME_RUN: Final = Tool(
    "rename_run",
    "Rename a run",
    "Give a stored run another name; its id stays.",
    (_RUN, Argument("name", "text", "the new name.", is_required=True)),
    {"run": OBJECT},
    _rename,
    changes=True,
)

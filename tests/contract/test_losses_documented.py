"""Every kind of loss that recording can count is explained to users."""

import ast
import re
from pathlib import Path

import otel_experiments
from otel_experiments.codec import plain
from otel_experiments.record.base import gate, room, value_loss
from otel_experiments.record.params import source as param_source

PACKAGE = Path(otel_experiments.__file__).parent
PAGE = PACKAGE.parent / "docs" / "explanation" / "nothing-in-silence.md"
BY_NAME = {
    room.AFTER_THE_END, room.JOURNAL_FULL, plain.TEXT_CUT, plain.TEXT_CHANGED, plain.KEPT_AS_TEXT,
    value_loss.NAME_TWICE,
    param_source.LEFT_OUT, *map(gate.kind_after_the_end, gate.KINDS),
}  # fmt: skip


def kinds_in_code():
    """Yield the kinds that calls of `lost` and `tell` spell out; a made text by its beginning."""
    for path in sorted((PACKAGE / "record").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            kind = node.args[0]
            if called not in {"lost", "tell", "_tell"}:
                continue
            if isinstance(kind, ast.Constant) and isinstance(kind.value, str) and called == "lost":
                yield kind.value
            elif isinstance(kind, ast.JoinedStr) and called == "lost":
                yield kind.values[0].value
            elif (
                isinstance(kind, ast.Constant) and isinstance(kind.value, str) and len(node.args) == 3
            ):  # a Tell
                yield kind.value


def test_every_kind_of_loss_is_explained():
    """Whoever reads a count in `show` finds out what it means."""
    told = set(re.findall(r"`([^`]+)`", PAGE.read_text(encoding="utf-8").partition("## What is counted")[2]))
    found = set(kinds_in_code()) | BY_NAME

    assert len(found) > 20
    assert [kind for kind in sorted(found) if kind not in told and not begins(kind, told)] == []


def begins(kind, told):
    """Tell whether a made text's beginning, which ends in a space or colon, is explained."""
    return kind.endswith((" ", ":")) and any(one.startswith(kind) for one in told)

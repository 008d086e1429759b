"""A call of a tool: arguments in, what the client gets out, warnings and errors of ours included."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from otel_experiments.agents.bounds import fit
from otel_experiments.agents.tool import PROVENANCE, Tool
from otel_experiments.codec.text import clean_text
from otel_experiments.errors import OtelExperimentsError, OtelExperimentsWarning
from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place
    from otel_experiments.query.json_values import Plain

_MOST_WARNINGS: Final = 10
_MOST_ERROR_CHARS: Final = 4000


def answer(tool: Tool, given: Mapping[str, object], place: Place) -> dict[str, Plain]:
    """Return what the tool found, of a bounded size.

    Raises:
        AgentToolError: the arguments are wrong, or the answer is too large.
        OtelExperimentsError: what was asked for is not there, or cannot be understood.
    """
    arguments = tool.read(given)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OtelExperimentsWarning)
        found = tool.work(place, arguments)
    told: list[Plain] = list(
        dict.fromkeys(
            clean_text(str(one.message)) for one in caught if issubclass(one.category, OtelExperimentsWarning)
        )
    )
    data, cuts = fit(found.data, tool=tool.name)
    return {
        "summary": clean_text(found.summary),
        "provenance": PROVENANCE,
        **data,
        **({"warnings": told[:_MOST_WARNINGS]} if told else {}),
        **({"cut": cuts, "rest": tool.rest} if cuts else {}),
    }


def outcome(tool: Tool, given: Mapping[str, object], place: Place) -> dict[str, Plain]:
    """Return `{"answer": ...}`, or `{"error": TEXT}` for whatever went wrong; nothing is raised but an interruption."""
    try:
        return {"answer": answer(tool, given, place)}
    except OtelExperimentsError as error:
        text = str(error)
    except MemoryError:
        text = (
            f"The tool {tool.name} needs more memory than it is given.\n"
            "  Ask for less: fewer runs, a smaller limit, an SQL statement that aggregates."
        )
    except BaseException as error:
        if is_interruption(error):
            raise
        traceback.print_exc(file=sys.stderr)
        text = (
            f"The tool {tool.name} failed unexpectedly: {type(error).__name__}: {error}.\n"
            "  That is a defect, worth a report; the traceback is in the log of this server."
        )
    return {"error": _shortened(clean_text(text))}


def _shortened(text: str) -> str:
    """Return the text without its middle where it is long: what to do stands at its end."""
    if len(text) <= _MOST_ERROR_CHARS:
        return text
    return f"{text[: _MOST_ERROR_CHARS // 2]} ... {text[-_MOST_ERROR_CHARS // 2 :]}"

"""What a search is answered with otherwise than its words say, told to whoever asks.

A field that no run has matches nothing and sorts nothing, and a metric without a declared direction has no best
value. Neither is an error, since runs that have them may come; both are said, with what may be meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from typing import Final, get_args

from otel_experiments.errors import SearchWarning
from otel_experiments.model.metric import Direction
from otel_experiments.model.run import Run
from otel_experiments.model.search import (
    And,
    Arithmetic,
    AttributeField,
    Calculated,
    Comparison,
    DirtyField,
    Exists,
    Expression,
    IsNan,
    LogTextField,
    MetricField,
    MetricStat,
    Not,
    Operand,
    Or,
    Order,
    ParamField,
    RunField,
    RunFieldName,
    RunQuery,
    SearchField,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.query.closest import closest
from otel_experiments.query.search.other_case import other_case
from otel_experiments.query.search.text import fields_of, format_field
from otel_experiments.store import Store
from otel_experiments.store.reader_warning import warn_reader

_LESS_IS_BETTER: Final = frozenset({
    "bpb", "bpc", "brier", "cer", "cost", "eer", "err", "error", "errors", "fid", "hinge", "kl", "latency", "logloss",
    "loss", "losses", "mae", "mape", "mse", "nll", "perplexity", "ppl", "regret", "rmse", "rmsle", "wer",
})  # fmt: skip
_MORE_IS_BETTER: Final = frozenset({
    "acc", "accuracy", "auc", "auprc", "auroc", "bleu", "chrf", "dice", "f1", "iou", "kappa", "map", "mcc", "miou",
    "mrr", "ndcg", "precision", "psnr", "r2", "recall", "return", "returns", "reward", "rewards", "rouge", "score",
    "sensitivity", "specificity", "spearman", "ssim", "top1", "top5", "throughput", "winrate",
})  # fmt: skip
_BEST: Final[dict[tuple[MetricStat, Direction], MetricStat]] = {
    ("best", "min"): "min", ("best", "max"): "max", ("best_step", "min"): "min_step", ("best_step", "max"): "max_step",
}  # fmt: skip
_LOOKED_AT: Final = 500
"""Runs whose names are looked through for one that may be meant."""
_AT_ONCE: Final = 20
_MOST_NAMES: Final = 10_000
"""No more runs are looked through after so many names: a person waits for the hint."""


def guessed_direction(metric: str) -> Direction | None:
    """Return which way a metric of this name is better; None for a name that does not tell."""
    words = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", metric).lower()))
    is_less, is_more = bool(words & _LESS_IS_BETTER), bool(words & _MORE_IS_BETTER)
    return None if is_less == is_more else ("min" if is_less else "max")


class SearchTeller:
    """Looks at one search over one store, and warns of what it finds; each thing once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._directions: dict[MetricField, MetricField] = {}
        self._told: set[SearchField] = set()

    def expression(self, expression: Expression) -> Expression:
        """Return the expression with a guess for each best value of a metric without a direction."""
        match expression:
            case (
                Comparison(MetricField() as field)
                | IsNan(MetricField() as field)
                | Exists(MetricField() as field)
            ):
                return replace(expression, field=self._field(field))
            case And(operands) | Or(operands):
                return type(expression)(tuple(map(self.expression, operands)))
            case Not(operand):
                return Not(self.expression(operand))
            case Calculated(left, operator, right):
                return Calculated(self._operand(left), operator, self._operand(right))
            case _:
                return expression

    def _operand(self, operand: Operand) -> Operand:
        match operand:
            case Arithmetic(operator, left, right):
                return Arithmetic(operator, self._operand(left), self._operand(right))
            case int() | float():
                return operand
            case _:
                return self.field(operand)

    def orders(self, orders: Sequence[Order]) -> tuple[Order, ...]:
        """Return the sort keys with a guess for each best value of a metric without a direction."""
        return tuple(replace(one, field=self.field(one.field)) for one in orders)

    def field(self, field: SearchField) -> SearchField:
        """Return the field, or what is guessed to be meant by the best value of a metric without a direction."""
        return self._field(field) if isinstance(field, MetricField) else field

    def tell_unsorted(self, where: Expression | None, orders: Sequence[Order], first: Run) -> None:
        """Warn of sort keys that none of the runs has which match.

        Args:
            where: which runs match.
            orders: the sort keys.
            first: one of them, the first of the page. It mostly has the keys, since runs that lack one come last;
                then the search is not made again.
        """
        it: Expression = Comparison(RunField("run_id"), "==", first.run_id)
        for order in orders:
            if not self._has(it, order.field) and not self._has(where, order.field):
                self._tell(where, order.field, "that sort key changes nothing")

    def tell_unmatched(self, where: Expression | None) -> None:
        """Warn of fields in a search without an answer that no run has, and of a text that runs have in other capitals."""
        for field in dict.fromkeys(fields_of(where)):
            if isinstance(field, RunField) or self._has(None, field):
                continue
            if not (isinstance(field, MetricField) and self._is_undirected(field)):  # said before the search
                self._tell(None, field, "no comparison with it matches")
        if found := other_case(self._store, where):
            field, text, has = found
            warn_reader(
                f"No run has {short(field)} == {json.dumps(text, ensure_ascii=False)}: capitals count.\n"
                f"  Did you mean {short(field)} == {json.dumps(has, ensure_ascii=False)}?",
                SearchWarning,
            )

    def meant(self, name: str) -> str:
        """Return the field of the newest runs that is most like a name without `params.`, `metrics.` or `tags.`."""
        by_name: dict[str, SearchField] = {}
        for field in self._known():
            by_name.setdefault(_name(field), field)
        near = closest(name, list(by_name))
        own = closest(name, get_args(RunFieldName))
        if near is None or (own is not None and closest(name, [near, own]) == own):
            return ""
        return short(by_name[near])

    def tell_unknown(self, fields: Sequence[SearchField]) -> None:
        """Warn of fields that are to be shown and that no run of the store has."""
        for field in fields:
            if not isinstance(field, RunField) and not self._has(None, field):
                self._tell(None, field, "there is nothing to show of it")

    def _field(self, field: MetricField) -> MetricField:
        if field.stat not in {"best", "best_step"}:
            return field
        if field not in self._directions:
            self._directions[field] = self._guessed(field)
        return self._directions[field]

    def _guessed(self, field: MetricField) -> MetricField:
        if not self._is_undirected(field):
            return field
        direction = guessed_direction(field.name)
        say = f"run.define_metric({field.name!r}, direction="
        if direction is None:
            self._told.add(field)
            low, high = (short(replace(field, stat=_BEST[field.stat, way])) for way in ("min", "max"))
            warn_reader(
                f"No run says which way {field.name!r} is better, so no run has {short(field)}.\n"
                f'  Ask for {low} or {high}; or say it when you record: {say}"min")',
                SearchWarning,
            )
            return field
        guess = replace(field, stat=_BEST[field.stat, direction])
        warn_reader(
            f"No run says which way {field.name!r} is better; by its name {short(guess)} is taken for {short(field)}.\n"
            f'  Ask for the one that is meant; or say it when you record: {say}"{direction}")',
            SearchWarning,
        )
        return guess

    def _is_undirected(self, field: MetricField) -> bool:
        """Tell whether the field is the best value of a metric that is recorded, and that has none."""
        if field.stat not in {"best", "best_step"} or self._has(None, replace(field, stat="best")):
            return False
        return self._has(None, replace(field, stat="last"))

    def _has(self, where: Expression | None, field: SearchField) -> bool:
        there: Expression = Exists(field)
        query = RunQuery(there if where is None else And((where, there)), limit=1)
        return bool(self._store.find_run_ids(query))

    def _tell(self, where: Expression | None, field: SearchField, so: str) -> None:
        if field in self._told:
            return
        who = (
            "None of the runs that match has"
            if where is not None and self._has(None, field)
            else "No run has"
        )
        meant = "" if who != "No run has" else _hint(field, self._known())
        warn_reader(
            f"{who} {short(field)}: {so}.\n  {meant}See what a run has: otel-experiments show RUN",
            SearchWarning,
        )

    def _known(self) -> Iterator[SearchField]:
        """Yield what the newest runs have, kind after kind: of fewer runs where each has many names."""
        runs: Sequence[Run] = self._store.find_runs(RunQuery(limit=_LOOKED_AT))
        kinds: list[list[SearchField]] = []
        for start in range(0, len(runs), _AT_ONCE):
            of_these = self._fields_of([run.run_id for run in runs[start : start + _AT_ONCE]])
            kinds = [[*seen, *new] for seen, new in zip_longest(kinds, of_these, fillvalue=())]
            if sum(map(len, kinds)) >= _MOST_NAMES:
                break
        yield from chain.from_iterable(kinds)

    def _fields_of(self, run_ids: Sequence[str]) -> Iterator[Sequence[SearchField]]:
        """Yield the params, metrics, summary values, tags and spans of runs, a list of each."""
        yield [ParamField(key) for params in self._store.params(run_ids).values() for key in params]
        yield [MetricField(one.key.name) for series in self._store.series(run_ids).values() for one in series]
        yield [SummaryField(one.key) for run_id in run_ids for one in self._store.summary_sets(run_id)]
        yield [TagField(key) for tags in self._store.tags(run_ids).values() for key in tags]
        yield [
            SpanStatField(one.name) for spans in self._store.span_summaries(run_ids).values() for one in spans
        ]


def short(field: SearchField) -> str:
    """Return the field as a person types it: quoted only where it has to be."""
    match field:
        case SummaryField(key) if _is_plain(key):
            return f"summary.{key}"
        case ParamField(key) if _is_plain(key):
            return f"params.{key}"
        case TagField(key) if _is_plain(key):
            return f"tags.{key}"
        case MetricField(name, stat, None) if name.isidentifier() and name.isascii():
            return f"metrics.{name}" + ("" if stat == "last" else f".{stat}")
        case SpanStatField(name, stat) if name.isidentifier() and name.isascii():
            return f"spans.{name}.{stat}"
    return format_field(field)


def _is_plain(key: str) -> bool:
    return key.isascii() and all(part.isidentifier() for part in key.split("."))


def _name(field: SearchField) -> str:
    match field:
        case ParamField(key) | TagField(key) | AttributeField(key):
            return key
        case LogTextField():
            return "logs"
        case DirtyField():
            return "git.dirty"
        case _:
            return field.name


def _hint(field: SearchField, known: Iterator[SearchField]) -> str:
    fields = list(dict.fromkeys(known))
    same = [one for one in fields if type(one) is type(field)]
    name = _name(field)
    close = closest(name, [_name(one) for one in same])
    # As another kind of thing, or by its last part: what people take for the name of a nested param.
    meant = [one for one in same if _name(one) == close] or [
        one
        for one in fields
        if name.casefold() in {_name(one).casefold(), _name(one).casefold().rpartition(".")[2]}
    ]
    if not meant:
        return ""
    first = meant[0]
    if isinstance(first, MetricField) and isinstance(field, MetricField):
        first = replace(first, stat=field.stat)
    if isinstance(first, SpanStatField) and isinstance(field, SpanStatField):
        first = replace(first, stat=field.stat)
    return f"Did you mean {short(first)}? "

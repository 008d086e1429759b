"""What the dashboards ask: SQL for ClickHouse, PromQL for Prometheus and VictoriaMetrics, TraceQL for Tempo.

SQL reads the tables of `../clickhouse`. What the user chose comes by `${name:sqlstring}`, which Grafana quotes. Curves are
chosen by run and never by the visible time: a run may have begun before it.
"""

from __future__ import annotations

from typing import Final

from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_ANOMALY
from otel_experiments.semconv.metrics import (
    HW_GPU_MEMORY_USAGE,
    HW_GPU_UTILIZATION,
    ML_METRIC_VALUE,
    ML_STEP_DURATION,
    PROCESS_CPU_UTILIZATION,
    PROCESS_MEMORY_USAGE,
    SYSTEM_CPU_UTILIZATION,
    SYSTEM_MEMORY_UTILIZATION,
)
from otel_experiments.semconv.values import MlOperationName

RUN: Final = "${run:sqlstring}"
CURVE: Final = "${curve:sqlstring}"
EXPERIMENT: Final = "${experiment:sqlstring}"
CURVE_NAME: Final = "concat(Metric, if(Phase = '', '', concat(' / ', Phase)))"
POINTS_A_PANEL: Final = 400

EXPERIMENTS: Final = "select distinct Experiment from runs where Experiment != '' order by Experiment"

RUN_CHOICES: Final = """
select RunId as __value, concat(Name, ', ', formatDateTime(StartTime, '%Y-%m-%d %H:%i:%S'), ', ', substring(RunId, 1, 8)) as __text
from runs
order by StartTime desc
limit 1000
"""

CURVES: Final = f"select distinct {CURVE_NAME} as curve from series where RunId = {RUN} order by curve"

RUNS: Final = f"""
select
    runs.Name as Run,
    runs.Experiment as Experiment,
    runs.State as State,
    runs.StartTime as Started,
    runs.DurationS as Duration,
    best.Metrics as Metrics,
    runs.Reason as Reason,
    runs.RunId as RunId
from runs
left join
(
    select
        RunId,
        arrayStringConcat(arraySort(groupArray(concat({CURVE_NAME}, ' ', toString(round(Low, 6)), ' to ', toString(round(High, 6))))), ', ') as Metrics
    from (select RunId, Metric, Phase, min(Minimum) as Low, max(Maximum) as High from series group by RunId, Metric, Phase)
    where Low is not null
    group by RunId
) as best on runs.RunId = best.RunId
where runs.Experiment in ({EXPERIMENT}) and $__timeFilter(runs.LastTime)
order by Started desc
limit 1000
"""

RUNS_BY_STATE: Final = f"""
select State, count() as Runs
from runs
where Experiment in ({EXPERIMENT}) and $__timeFilter(LastTime)
group by State
order by State
"""

RUN_DURATIONS: Final = f"""
select StartTime as time, Name as run, DurationS as value
from runs
where Experiment in ({EXPERIMENT}) and $__timeFilter(StartTime)
order by time
"""

ONE_RUN: Final = f"""
select Name as Run, Experiment, State, StartTime as Started, DurationS as Duration, ErrorType as Error, Reason, RunId
from runs
where RunId = {RUN}
"""

PARAMS: Final = f"""
select param as Param, value as Value
from runs
array join mapKeys(Params) as param, mapValues(Params) as value
where RunId = {RUN}
order by Param
"""

CURVE_BAND: Final = f"""
with
    (select (min(FirstStep), max(LastStep)) from series where RunId = {RUN} and {CURVE_NAME} = {CURVE}) as bounds,
    greatest((bounds.2 - bounds.1) / {POINTS_A_PANEL}, 1e-9) as width
select
    min(Step) as step,
    min(if(isNaN(Value), null, Value)) as low,
    avg(if(isFinite(Value), Value, null)) as mean,
    max(if(isNaN(Value), null, Value)) as high
from points final
where RunId = {RUN} and {CURVE_NAME} = {CURVE}
group by floor((Step - bounds.1) / width)
order by step
"""

BY_RANK: Final = f"""
select
    Rank,
    {CURVE_NAME} as Metric,
    round(Last, 6) as Last,
    round(Minimum, 6) as Least,
    MinimumStep as LeastAtStep,
    round(Maximum, 6) as Greatest,
    MaximumStep as GreatestAtStep,
    LastStep,
    if(HasNaN, 'yes', '') as NaN
from series
where RunId = {RUN}
order by Metric, Rank
"""

STEP_TIME: Final = f"""
select
    Step as step,
    quantileExact(0.5)(Duration) / 1e9 as median,
    max(Duration) / 1e9 as slowest
from otel_traces final
where RunId = {RUN} and Operation = '{MlOperationName.STEP}' and Step is not null
group by step
order by step
"""

STEP_TIME_BY_RANK: Final = f"""
select
    $__timeInterval(Timestamp) as time,
    concat('rank ', toString(toUInt32OrZero(ResourceAttributes['{attr.ML_DISTRIBUTED_RANK}']))) as rank,
    avg(Duration) / 1e9 as value
from otel_traces final
where RunId = {RUN} and Operation = '{MlOperationName.STEP}'
group by time, rank
order by time, rank
"""

SLOWEST_STEPS: Final = f"""
select
    Step,
    toUInt32OrZero(ResourceAttributes['{attr.ML_DISTRIBUTED_RANK}']) as Rank,
    Duration / 1e9 as Took,
    Timestamp as Started,
    TraceId as Trace
from otel_traces final
where RunId = {RUN} and Operation = '{MlOperationName.STEP}'
order by Duration desc
limit 20
"""

STEP_TIME_TOTAL: Final = f"""
select Rank, sum(steps) as Steps, sum(seconds) / sum(steps) as Mean, max(longest) as Slowest
from
(
    select Rank, argMax(Count, Time) as steps, argMax(Sum, Time) as seconds, argMax(Max, Time) as longest
    from histogram_points final
    where RunId = {RUN} and Metric = '{ML_STEP_DURATION.name}'
    group by Rank, Process, Series, StartTime
)
group by Rank
having Steps > 0
order by Rank
"""


def _instruments(names: tuple[str, ...]) -> str:
    """Return the query for the time series of instruments, one line a rank and set of attributes."""
    wanted = ", ".join(f"'{name}'" for name in names)
    return f"""
select
    $__timeInterval(Time) as time,
    concat(Metric, ' ', arrayStringConcat(mapValues(Attributes), ' '), if(Rank = 0, '', concat(' rank ', toString(Rank)))) as series,
    avg(Value) as value
from instrument_points final
where RunId = {RUN} and Metric in ({wanted})
group by time, series
order by time, series
"""


LOAD: Final = _instruments(
    (
        PROCESS_CPU_UTILIZATION.name,
        SYSTEM_CPU_UTILIZATION.name,
        SYSTEM_MEMORY_UTILIZATION.name,
        HW_GPU_UTILIZATION.name,
    )
)
MEMORY: Final = _instruments((PROCESS_MEMORY_USAGE.name, HW_GPU_MEMORY_USAGE.name))

ANOMALIES: Final = f"""
select
    Timestamp as time,
    LogAttributes['{attr.ML_METRIC_NAME}'] as Metric,
    LogAttributes['{attr.ML_ANOMALY_KIND}'] as Kind,
    Step,
    TraceId as Trace
from otel_logs final
where RunId = {RUN} and EventName = '{ML_ANOMALY.name}'
order by time
limit 1000
"""

ANOMALY_MARKS: Final = f"""
select
    Timestamp as time,
    concat(LogAttributes['{attr.ML_METRIC_NAME}'], ' is ', LogAttributes['{attr.ML_ANOMALY_KIND}']) as text
from otel_logs final
where RunId = {RUN} and EventName = '{ML_ANOMALY.name}' and $__timeFilter(Timestamp)
order by time
limit 1000
"""

LOGS: Final = f"""
select
    Timestamp as timestamp,
    if(Body = '', concat(EventName, ' ', toString(LogAttributes)), Body) as body,
    SeverityText as level,
    TraceId as traceID
from otel_logs final
where RunId = {RUN}
order by timestamp desc
limit 1000
"""

TRACES: Final = f"""
select
    TraceId as Trace,
    if(Trace = {RUN}, 'the run', 'a chunk of its steps, or a trace of its own') as Holds,
    count() as Spans,
    countIf(StatusCode = 'Error') as Errors,
    min(Timestamp) as First,
    max(Timestamp + toIntervalNanosecond(Duration)) as Last
from otel_traces final
where RunId = {RUN}
group by Trace
order by First
limit 1000
"""


def _spellings(name: str) -> tuple[str, str]:
    """Return a label as VictoriaMetrics keeps it, with dots, and as Prometheus does, with underscores."""
    return f'"{name}"', name.replace(".", "_")


def _series(name: str, label: str, matcher: str, suffix: str) -> str:
    """Return the selector of a metric: in a pattern a dot is any character, so one fits both spellings of a name."""
    return f'{{__name__=~"{name}{suffix}",{label}{matcher}}}'


RUN_LABELS: Final = _spellings(attr.ML_RUN_ID)
THIS_RUN: Final = '="$run"'
PRESENT: Final = '!=""'
GAUGE: Final = "(_ratio)?"
"""What Prometheus adds to the name of a gauge whose unit is 1."""

LIVE_CURVES: Final = " or ".join(
    _series(ML_METRIC_VALUE.name, label, THIS_RUN, GAUGE) for label in RUN_LABELS
)
LIVE_LEGEND: Final = "".join(
    f"{{{{{label}}}}}" for label in (attr.ML_METRIC_NAME, attr.ML_METRIC_NAME.replace(".", "_"))
)
_STEP_RATES: Final = " or ".join(
    f"rate({_series(ML_STEP_DURATION.name, label, THIS_RUN, '(_seconds)?_bucket')}[$__rate_interval])"
    for label in RUN_LABELS
)
LIVE_STEP_TIME: Final = f"histogram_quantile(0.95, sum by (le) ({_STEP_RATES}))"
# `by ("ml.run.id")` is not the same to both; the name of a label as an argument is.
_LIVE_RUNS: Final = " or ".join(
    f'label_replace({_series(ML_METRIC_VALUE.name, label, PRESENT, GAUGE)}, "run", "$1", "{name}", "(.+)")'
    for label, name in zip(RUN_LABELS, (attr.ML_RUN_ID, RUN_LABELS[1]), strict=True)
)
LIVE_RUNS: Final = f"count(count by (run) ({_LIVE_RUNS}))"

FAILED_SPANS: Final = '{ resource.ml.run.id = "$run" && status = error }'
CHUNKS: Final = '{ link:traceID = "$run" }'
RUN_SPANS: Final = (
    '{ span.ml.operation.name = "run" } '
    "| select(span.ml.run.result, resource.ml.run.name, resource.ml.experiment.name)"
)

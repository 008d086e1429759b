-- Runs. What is known of a run comes at several times in several signals: one row for each, put together when read.
-- The root span comes when the run has ended; until then there are log records, and the run's points.

create table if not exists run_events
(
    RunId LowCardinality(String) codec(ZSTD(1)),
    Event LowCardinality(String) codec(ZSTD(1)),
    Time DateTime64(9) codec(Delta, ZSTD(1)),
    Process LowCardinality(String) codec(ZSTD(1)),
    Rank UInt32 codec(ZSTD(1)),
    StartTime DateTime64(9) codec(Delta, ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    Experiment LowCardinality(String) codec(ZSTD(1)),
    ExperimentGroup LowCardinality(String) codec(ZSTD(1)),
    Name String codec(ZSTD(1)),
    ParentRunId LowCardinality(String) codec(ZSTD(1)),
    State LowCardinality(String) codec(ZSTD(1)),
    Result LowCardinality(String) codec(ZSTD(1)),
    Reason String codec(ZSTD(1)),
    ErrorType LowCardinality(String) codec(ZSTD(1)),
    TraceId String codec(ZSTD(1)),
    SpanId String codec(ZSTD(1)),
    Params Map(LowCardinality(String), String) codec(ZSTD(1)),
    Tags Map(LowCardinality(String), String) codec(ZSTD(1)),
    Config String codec(ZSTD(1)),
    Resource Map(LowCardinality(String), String) codec(ZSTD(1))
)
engine = ReplacingMergeTree
order by (RunId, Event, Time, Process, SpanId, State);

create materialized view if not exists run_events_of_spans to run_events as
select
    ResourceAttributes['ml.run.id'] as RunId,
    'end' as Event,
    Timestamp + toIntervalNanosecond(Duration) as Time,
    ResourceAttributes['service.instance.id'] as Process,
    toUInt32OrZero(ResourceAttributes['ml.distributed.rank']) as Rank,
    Timestamp as StartTime,
    ServiceName,
    ResourceAttributes['ml.experiment.name'] as Experiment,
    ResourceAttributes['ml.experiment.group'] as ExperimentGroup,
    ResourceAttributes['ml.run.name'] as Name,
    ResourceAttributes['ml.run.parent.id'] as ParentRunId,
    multiIf(
        SpanAttributes['ml.run.result'] in ('success', 'skip'), 'succeeded',
        SpanAttributes['ml.run.result'] = 'cancellation', 'cancelled',
        SpanAttributes['ml.run.result'] != '', 'failed',
        StatusCode = 'Error', 'failed',
        'succeeded'
    ) as State,
    SpanAttributes['ml.run.result'] as Result,
    SpanAttributes['ml.run.reason'] as Reason,
    SpanAttributes['error.type'] as ErrorType,
    TraceId,
    SpanId,
    mapApply((key, value) -> (substring(key, 19), value), mapFilter((key, value) -> startsWith(key, 'ml.hyperparameter.'), SpanAttributes)) as Params,
    mapApply((key, value) -> (substring(key, 12), value), mapFilter((key, value) -> startsWith(key, 'ml.run.tag.'), SpanAttributes)) as Tags,
    '' as Config,
    ResourceAttributes as Resource
from otel_traces
where SpanAttributes['ml.operation.name'] = 'run' and ResourceAttributes['ml.run.id'] != '';

create materialized view if not exists run_events_of_logs to run_events as
select
    ResourceAttributes['ml.run.id'] as RunId,
    substring(EventName, 8) as Event,
    Timestamp as Time,
    ResourceAttributes['service.instance.id'] as Process,
    toUInt32OrZero(ResourceAttributes['ml.distributed.rank']) as Rank,
    Timestamp as StartTime,
    ServiceName,
    ResourceAttributes['ml.experiment.name'] as Experiment,
    ResourceAttributes['ml.experiment.group'] as ExperimentGroup,
    ResourceAttributes['ml.run.name'] as Name,
    ResourceAttributes['ml.run.parent.id'] as ParentRunId,
    if(EventName = 'ml.run.start', 'running', LogAttributes['ml.run.state']) as State,
    '' as Result,
    LogAttributes['ml.run.reason'] as Reason,
    LogAttributes['error.type'] as ErrorType,
    TraceId,
    SpanId,
    map() as Params,
    map() as Tags,
    if(EventName = 'ml.run.config', Body, '') as Config,
    ResourceAttributes as Resource
from otel_logs
where EventName in ('ml.run.start', 'ml.run.state', 'ml.run.config') and ResourceAttributes['ml.run.id'] != '';

-- State: that of the newest event of rank 0, running where there is none. A run whose process was killed stays `running`
-- here, since nothing comes any more: look at LastTime.
create view if not exists runs as
select
    ids.RunId as RunId,
    events.Name as Name,
    events.Experiment as Experiment,
    events.ExperimentGroup as ExperimentGroup,
    events.ServiceName as ServiceName,
    events.ParentRunId as ParentRunId,
    if(events.State = '', 'running', events.State) as State,
    events.Result as Result,
    events.Reason as Reason,
    events.ErrorType as ErrorType,
    if(events.RunId = '', ids.FirstTime, events.StartTime) as StartTime,
    if(events.State in ('succeeded', 'failed', 'cancelled'), events.LatestEnd, null) as EndTime,
    ids.LastTime as LastTime,
    (toUnixTimestamp64Nano(ifNull(EndTime, ids.LastTime)) - toUnixTimestamp64Nano(StartTime)) / 1e9 as DurationS,
    events.Params as Params,
    events.Tags as Tags,
    events.Config as Config,
    events.Resource as Resource,
    ids.RunId as TraceId
from
(
    select RunId, min(FirstTime) as FirstTime, max(LastTime) as LastTime
    from
    (
        select RunId, FirstTime, LastTime from series_summary where RunId != ''
        union all
        select RunId, StartTime as FirstTime, Time as LastTime from run_events
    )
    group by RunId
) as ids
left join
(
    select
        RunId,
        argMax(run_events.Name, Time) as Name,
        argMax(run_events.Experiment, Time) as Experiment,
        argMax(run_events.ExperimentGroup, Time) as ExperimentGroup,
        argMax(run_events.ServiceName, Time) as ServiceName,
        argMax(run_events.ParentRunId, Time) as ParentRunId,
        argMaxIf(run_events.State, Time, run_events.State != '' and Rank = 0) as State,
        argMaxIf(run_events.Result, Time, Event = 'end') as Result,
        argMaxIf(run_events.Reason, Time, run_events.State != '' and Rank = 0) as Reason,
        argMaxIf(run_events.ErrorType, Time, run_events.State != '' and Rank = 0) as ErrorType,
        min(run_events.StartTime) as StartTime,
        maxIf(toNullable(Time), Event = 'end') as LatestEnd,
        argMaxIf(run_events.Params, Time, Event = 'end') as Params,
        argMaxIf(run_events.Tags, Time, Event = 'end') as Tags,
        argMaxIf(run_events.Config, Time, Event = 'config') as Config,
        argMin(run_events.Resource, (Rank, Time)) as Resource
    from run_events
    group by RunId
) as events on ids.RunId = events.RunId;

insert into otel_experiments_schema (Version, Name) values (3, 'runs');

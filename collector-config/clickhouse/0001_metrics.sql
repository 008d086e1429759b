-- Tables of metrics for the ClickHouse exporter of the OpenTelemetry Collector (`create_schema: false`).
--
-- The exporter's tables are landing tables: they have its columns, keep nothing, and hand each row to the views
-- below. Times have nanoseconds where the exporter's own tables cut them to seconds. Every table that keeps rows is a
-- ReplacingMergeTree whose key holds all that makes a row itself, so that a row that is sent again replaces itself.
-- Read with `final`, or with the setting `final = 1`.

create table if not exists otel_experiments_schema
(
    Version UInt32,
    Name String,
    AppliedAt DateTime64(3) default now64(3)
)
engine = ReplacingMergeTree(AppliedAt)
order by Version;

create table if not exists otel_metrics_gauge
(
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName LowCardinality(String),
    MetricName LowCardinality(String),
    MetricDescription String,
    MetricUnit String,
    Attributes Map(LowCardinality(String), String),
    StartTimeUnix DateTime64(9),
    TimeUnix DateTime64(9),
    Value Float64,
    Flags UInt32,
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    )
)
engine = Null;

create table if not exists otel_metrics_sum
(
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName LowCardinality(String),
    MetricName LowCardinality(String),
    MetricDescription String,
    MetricUnit String,
    Attributes Map(LowCardinality(String), String),
    StartTimeUnix DateTime64(9),
    TimeUnix DateTime64(9),
    Value Float64,
    Flags UInt32,
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ),
    AggregationTemporality Int32,
    IsMonotonic Bool
)
engine = Null;

create table if not exists otel_metrics_histogram
(
    ResourceAttributes Map(LowCardinality(String), String),
    ResourceSchemaUrl String,
    ScopeName String,
    ScopeVersion String,
    ScopeAttributes Map(LowCardinality(String), String),
    ScopeDroppedAttrCount UInt32,
    ScopeSchemaUrl String,
    ServiceName LowCardinality(String),
    MetricName LowCardinality(String),
    MetricDescription String,
    MetricUnit String,
    Attributes Map(LowCardinality(String), String),
    StartTimeUnix DateTime64(9),
    TimeUnix DateTime64(9),
    Count UInt64,
    Sum Float64,
    BucketCounts Array(UInt64),
    ExplicitBounds Array(Float64),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ),
    Flags UInt32,
    Min Float64,
    Max Float64,
    AggregationTemporality Int32
)
engine = Null;

-- Rare kinds of metrics are kept as they come.
create table if not exists otel_metrics_exponential_histogram
(
    ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ResourceSchemaUrl String codec(ZSTD(1)),
    ScopeName String codec(ZSTD(1)),
    ScopeVersion String codec(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
    ScopeSchemaUrl String codec(ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    MetricName LowCardinality(String) codec(ZSTD(1)),
    MetricDescription String codec(ZSTD(1)),
    MetricUnit String codec(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
    Count UInt64 codec(ZSTD(1)),
    Sum Float64 codec(ZSTD(1)),
    Scale Int32 codec(ZSTD(1)),
    ZeroCount UInt64 codec(ZSTD(1)),
    PositiveOffset Int32 codec(ZSTD(1)),
    PositiveBucketCounts Array(UInt64) codec(ZSTD(1)),
    NegativeOffset Int32 codec(ZSTD(1)),
    NegativeBucketCounts Array(UInt64) codec(ZSTD(1)),
    Exemplars Nested
    (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime64(9),
        Value Float64,
        SpanId String,
        TraceId String
    ) codec(ZSTD(1)),
    Flags UInt32 codec(ZSTD(1)),
    Min Float64 codec(ZSTD(1)),
    Max Float64 codec(ZSTD(1)),
    AggregationTemporality Int32 codec(ZSTD(1)),
    RunId LowCardinality(String) materialized ResourceAttributes['ml.run.id'] codec(ZSTD(1)),
    Process LowCardinality(String) materialized ResourceAttributes['service.instance.id'] codec(ZSTD(1)),
    Series String materialized toString(mapSort(Attributes)) codec(ZSTD(1))
)
engine = ReplacingMergeTree
partition by toYYYYMM(TimeUnix)
order by (RunId, MetricName, ServiceName, Process, ScopeName, ScopeVersion, Series, TimeUnix, StartTimeUnix);

create table if not exists otel_metrics_summary
(
    ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ResourceSchemaUrl String codec(ZSTD(1)),
    ScopeName String codec(ZSTD(1)),
    ScopeVersion String codec(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 codec(ZSTD(1)),
    ScopeSchemaUrl String codec(ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    MetricName LowCardinality(String) codec(ZSTD(1)),
    MetricDescription String codec(ZSTD(1)),
    MetricUnit String codec(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    StartTimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
    TimeUnix DateTime64(9) codec(Delta, ZSTD(1)),
    Count UInt64 codec(ZSTD(1)),
    Sum Float64 codec(ZSTD(1)),
    ValueAtQuantiles Nested
    (
        Quantile Float64,
        Value Float64
    ) codec(ZSTD(1)),
    Flags UInt32 codec(ZSTD(1)),
    RunId LowCardinality(String) materialized ResourceAttributes['ml.run.id'] codec(ZSTD(1)),
    Process LowCardinality(String) materialized ResourceAttributes['service.instance.id'] codec(ZSTD(1)),
    Series String materialized toString(mapSort(Attributes)) codec(ZSTD(1))
)
engine = ReplacingMergeTree
partition by toYYYYMM(TimeUnix)
order by (RunId, MetricName, ServiceName, Process, ScopeName, ScopeVersion, Series, TimeUnix, StartTimeUnix);

-- What users log: one row for each call of `log` and each metric. Process and rank tell the ranks of a run apart.
create table if not exists points
(
    RunId LowCardinality(String) codec(ZSTD(1)),
    Metric LowCardinality(String) codec(ZSTD(1)),
    Phase LowCardinality(String) codec(ZSTD(1)),
    Process LowCardinality(String) codec(ZSTD(1)),
    Rank UInt32 codec(ZSTD(1)),
    Step Float64 codec(Delta, ZSTD(1)),
    Time DateTime64(9) codec(Delta, ZSTD(1)),
    Value Float64 codec(Gorilla, ZSTD(1))
)
engine = ReplacingMergeTree
partition by toYYYYMM(Time)
primary key (RunId, Metric, Phase, Process, Step)
order by (RunId, Metric, Phase, Process, Step, Time, reinterpretAsUInt64(Value));

create materialized view if not exists points_of_gauges to points as
select
    ResourceAttributes['ml.run.id'] as RunId,
    Attributes['ml.metric.name'] as Metric,
    Attributes['ml.phase'] as Phase,
    ResourceAttributes['service.instance.id'] as Process,
    toUInt32OrZero(ResourceAttributes['ml.distributed.rank']) as Rank,
    toFloat64OrDefault(Exemplars.FilteredAttributes[1]['ml.metric.step'], toFloat64(-1)) as Step,
    TimeUnix as Time,
    Value
from otel_metrics_gauge
where MetricName = 'ml.metric.value' and bitAnd(Flags, 1) = 0;

-- What instruments measure: durations are in `histogram_points`, all else (system metrics, counts) is here.
create table if not exists instrument_points
(
    RunId LowCardinality(String) codec(ZSTD(1)),
    Metric LowCardinality(String) codec(ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    Process LowCardinality(String) codec(ZSTD(1)),
    Rank UInt32 codec(ZSTD(1)),
    ScopeName LowCardinality(String) codec(ZSTD(1)),
    ScopeVersion LowCardinality(String) codec(ZSTD(1)),
    Unit LowCardinality(String) codec(ZSTD(1)),
    Kind LowCardinality(String) codec(ZSTD(1)),
    Temporality Int32 codec(ZSTD(1)),
    IsMonotonic Bool codec(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    StartTime DateTime64(9) codec(Delta, ZSTD(1)),
    Time DateTime64(9) codec(Delta, ZSTD(1)),
    Value Float64 codec(Gorilla, ZSTD(1)),
    Series LowCardinality(String) materialized toString(mapSort(Attributes)) codec(ZSTD(1))
)
engine = ReplacingMergeTree
partition by toYYYYMM(Time)
order by (RunId, Metric, ServiceName, Process, ScopeName, ScopeVersion, Kind, Series, Time, StartTime);

create materialized view if not exists instrument_points_of_gauges to instrument_points as
select
    ResourceAttributes['ml.run.id'] as RunId,
    MetricName as Metric,
    ServiceName,
    ResourceAttributes['service.instance.id'] as Process,
    toUInt32OrZero(ResourceAttributes['ml.distributed.rank']) as Rank,
    ScopeName,
    ScopeVersion,
    MetricUnit as Unit,
    'gauge' as Kind,
    0 as Temporality,
    false as IsMonotonic,
    Attributes,
    StartTimeUnix as StartTime,
    TimeUnix as Time,
    Value
from otel_metrics_gauge
where MetricName != 'ml.metric.value' and bitAnd(Flags, 1) = 0;

create materialized view if not exists instrument_points_of_sums to instrument_points as
select
    ResourceAttributes['ml.run.id'] as RunId,
    MetricName as Metric,
    ServiceName,
    ResourceAttributes['service.instance.id'] as Process,
    toUInt32OrZero(ResourceAttributes['ml.distributed.rank']) as Rank,
    ScopeName,
    ScopeVersion,
    MetricUnit as Unit,
    'sum' as Kind,
    AggregationTemporality as Temporality,
    IsMonotonic,
    Attributes,
    StartTimeUnix as StartTime,
    TimeUnix as Time,
    Value
from otel_metrics_sum
where bitAnd(Flags, 1) = 0;

create table if not exists histogram_points
(
    RunId LowCardinality(String) codec(ZSTD(1)),
    Metric LowCardinality(String) codec(ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    Process LowCardinality(String) codec(ZSTD(1)),
    Rank UInt32 codec(ZSTD(1)),
    ScopeName LowCardinality(String) codec(ZSTD(1)),
    ScopeVersion LowCardinality(String) codec(ZSTD(1)),
    Unit LowCardinality(String) codec(ZSTD(1)),
    Temporality Int32 codec(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    StartTime DateTime64(9) codec(Delta, ZSTD(1)),
    Time DateTime64(9) codec(Delta, ZSTD(1)),
    Count UInt64 codec(ZSTD(1)),
    Sum Float64 codec(ZSTD(1)),
    Min Float64 codec(ZSTD(1)),
    Max Float64 codec(ZSTD(1)),
    BucketCounts Array(UInt64) codec(ZSTD(1)),
    ExplicitBounds Array(Float64) codec(ZSTD(1)),
    ExemplarTimes Array(DateTime64(9)) codec(ZSTD(1)),
    ExemplarValues Array(Float64) codec(ZSTD(1)),
    ExemplarTraceIds Array(String) codec(ZSTD(1)),
    ExemplarSpanIds Array(String) codec(ZSTD(1)),
    Series LowCardinality(String) materialized toString(mapSort(Attributes)) codec(ZSTD(1))
)
engine = ReplacingMergeTree
partition by toYYYYMM(Time)
order by (RunId, Metric, ServiceName, Process, ScopeName, ScopeVersion, Series, Time, StartTime);

create materialized view if not exists histogram_points_of_histograms to histogram_points as
select
    ResourceAttributes['ml.run.id'] as RunId,
    MetricName as Metric,
    ServiceName,
    ResourceAttributes['service.instance.id'] as Process,
    toUInt32OrZero(ResourceAttributes['ml.distributed.rank']) as Rank,
    ScopeName,
    ScopeVersion,
    MetricUnit as Unit,
    AggregationTemporality as Temporality,
    Attributes,
    StartTimeUnix as StartTime,
    TimeUnix as Time,
    Count,
    Sum,
    Min,
    Max,
    BucketCounts,
    ExplicitBounds,
    Exemplars.TimeUnix as ExemplarTimes,
    Exemplars.Value as ExemplarValues,
    Exemplars.TraceId as ExemplarTraceIds,
    Exemplars.SpanId as ExemplarSpanIds
from otel_metrics_histogram
where bitAnd(Flags, 1) = 0;

-- Summary of each series, kept as points arrive. It holds only what a repeated row cannot change, so no counts.
create table if not exists series_summary
(
    RunId LowCardinality(String),
    Metric LowCardinality(String),
    Phase LowCardinality(String),
    Process LowCardinality(String),
    Rank SimpleAggregateFunction(max, UInt32),
    Minimum SimpleAggregateFunction(min, Nullable(Float64)),
    Maximum SimpleAggregateFunction(max, Nullable(Float64)),
    MinimumStep AggregateFunction(argMin, Float64, Nullable(Float64)),
    MaximumStep AggregateFunction(argMax, Float64, Nullable(Float64)),
    Last AggregateFunction(argMax, Float64, Tuple(Float64, DateTime64(9))),
    FirstStep SimpleAggregateFunction(min, Float64),
    LastStep SimpleAggregateFunction(max, Float64),
    FirstTime SimpleAggregateFunction(min, DateTime64(9)),
    LastTime SimpleAggregateFunction(max, DateTime64(9)),
    HasNaN SimpleAggregateFunction(max, UInt8)
)
engine = AggregatingMergeTree
order by (RunId, Metric, Phase, Process);

create materialized view if not exists series_summary_of_points to series_summary as
select
    RunId,
    Metric,
    Phase,
    Process,
    max(points.Rank) as Rank,
    min(if(isNaN(Value), null, Value)) as Minimum,
    max(if(isNaN(Value), null, Value)) as Maximum,
    argMinState(Step, if(isNaN(Value), null, Value)) as MinimumStep,
    argMaxState(Step, if(isNaN(Value), null, Value)) as MaximumStep,
    argMaxState(Value, (Step, Time)) as Last,
    min(Step) as FirstStep,
    max(Step) as LastStep,
    min(Time) as FirstTime,
    max(Time) as LastTime,
    toUInt8(max(isNaN(Value))) as HasNaN
from points
group by RunId, Metric, Phase, Process;

create view if not exists series as
select
    RunId,
    Metric,
    Phase,
    Process,
    max(series_summary.Rank) as Rank,
    min(series_summary.Minimum) as Minimum,
    max(series_summary.Maximum) as Maximum,
    argMinMerge(series_summary.MinimumStep) as MinimumStep,
    argMaxMerge(series_summary.MaximumStep) as MaximumStep,
    argMaxMerge(series_summary.Last) as Last,
    min(series_summary.FirstStep) as FirstStep,
    max(series_summary.LastStep) as LastStep,
    min(series_summary.FirstTime) as FirstTime,
    max(series_summary.LastTime) as LastTime,
    max(series_summary.HasNaN) as HasNaN
from series_summary
group by RunId, Metric, Phase, Process;

insert into otel_experiments_schema (Version, Name) values (1, 'metrics');

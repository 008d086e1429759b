-- Tables of traces and logs, with the columns of the Collector's ClickHouse exporter, which are those that Grafana's
-- views of traces and logs read, and with the run and the step of each row in columns.

create table if not exists otel_traces
(
    Timestamp DateTime64(9) codec(Delta, ZSTD(1)),
    TraceId String codec(ZSTD(1)),
    SpanId String codec(ZSTD(1)),
    ParentSpanId String codec(ZSTD(1)),
    TraceState String codec(ZSTD(1)),
    SpanName LowCardinality(String) codec(ZSTD(1)),
    SpanKind LowCardinality(String) codec(ZSTD(1)),
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ScopeName String codec(ZSTD(1)),
    ScopeVersion String codec(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    Duration UInt64 codec(ZSTD(1)),
    StatusCode LowCardinality(String) codec(ZSTD(1)),
    StatusMessage String codec(ZSTD(1)),
    Events Nested
    (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) codec(ZSTD(1)),
    Links Nested
    (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) codec(ZSTD(1)),
    RunId LowCardinality(String) materialized ResourceAttributes['ml.run.id'] codec(ZSTD(1)),
    Process LowCardinality(String) materialized ResourceAttributes['service.instance.id'] codec(ZSTD(1)),
    Operation LowCardinality(String) materialized SpanAttributes['ml.operation.name'] codec(ZSTD(1)),
    Step Nullable(Float64) materialized toFloat64OrNull(SpanAttributes['ml.step.index']) codec(ZSTD(1)),
    index idx_trace_id TraceId type bloom_filter(0.001) granularity 1,
    index idx_span_attr_key mapKeys(SpanAttributes) type bloom_filter(0.01) granularity 1,
    index idx_span_attr_value mapValues(SpanAttributes) type bloom_filter(0.01) granularity 1,
    index idx_duration Duration type minmax granularity 1
)
engine = ReplacingMergeTree
partition by toYYYYMM(Timestamp)
order by (RunId, ServiceName, SpanName, toDateTime(Timestamp), TraceId, SpanId);

-- From when to when a trace's spans start. Whoever looks for a trace by its id looks here first.
create table if not exists otel_traces_trace_id_ts
(
    TraceId String codec(ZSTD(1)),
    Start SimpleAggregateFunction(min, DateTime64(9)) codec(Delta, ZSTD(1)),
    End SimpleAggregateFunction(max, DateTime64(9)) codec(Delta, ZSTD(1))
)
engine = AggregatingMergeTree
order by TraceId;

create materialized view if not exists otel_traces_trace_id_ts_mv to otel_traces_trace_id_ts as
select
    TraceId,
    min(Timestamp) as Start,
    max(Timestamp) as End
from otel_traces
where TraceId != ''
group by TraceId;

create table if not exists otel_logs
(
    Timestamp DateTime64(9) codec(Delta, ZSTD(1)),
    TraceId String codec(ZSTD(1)),
    SpanId String codec(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String) codec(ZSTD(1)),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String) codec(ZSTD(1)),
    Body String codec(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) codec(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) codec(ZSTD(1)),
    ScopeName String codec(ZSTD(1)),
    ScopeVersion LowCardinality(String) codec(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) codec(ZSTD(1)),
    EventName String codec(ZSTD(1)),
    RunId LowCardinality(String) materialized ResourceAttributes['ml.run.id'] codec(ZSTD(1)),
    Process LowCardinality(String) materialized ResourceAttributes['service.instance.id'] codec(ZSTD(1)),
    Step Nullable(Float64) materialized toFloat64OrNull(LogAttributes['ml.metric.step']) codec(ZSTD(1)),
    -- A log record has no id: what it says tells it from another one of the same nanosecond.
    Content FixedString(16) materialized sipHash128(Body, toString(mapSort(LogAttributes)), SeverityText, SeverityNumber, ScopeName, ScopeVersion, TraceId, SpanId) codec(ZSTD(1)),
    index idx_trace_id TraceId type bloom_filter(0.001) granularity 1,
    index idx_log_attr_key mapKeys(LogAttributes) type bloom_filter(0.01) granularity 1,
    index idx_log_attr_value mapValues(LogAttributes) type bloom_filter(0.01) granularity 1,
    index idx_lower_body lower(Body) type tokenbf_v1(32768, 3, 0) granularity 8
)
engine = ReplacingMergeTree
partition by toYYYYMM(Timestamp)
order by (RunId, ServiceName, EventName, Timestamp, Process, Content);

insert into otel_experiments_schema (Version, Name) values (2, 'traces and logs');

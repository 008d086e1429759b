"""The schema of the SQLite store, as numbered migrations. Documented API: docs/reference/schema.md.

A change of the schema is a new migration at the end of MIGRATIONS, a change of the documentation, and a file
of the former version under tests/data. Nothing newer than SQLite 3.31 is used.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x6F78_5354
LARGEST_INTEGER: Final = 2**63 - 1
"""The largest integer that SQLite holds."""
"""`oxST` in SQLite's header: tells a store of ours from any other database."""

_V1 = (
    """
    create table resources (
      resource_id integer primary key,
      hash text not null unique,
      schema_url text not null,
      attributes text not null
    )
    """,
    """
    create table scopes (
      scope_id integer primary key,
      hash text not null unique,
      name text not null,
      version text not null,
      schema_url text not null,
      attributes text not null
    )
    """,
    """
    create table experiments (
      name text primary key,
      created_ns integer not null
    ) without rowid
    """,
    """
    create table runs (
      run_id text primary key,
      experiment text references experiments (name),
      name text not null,
      state text not null,
      created_ns integer not null,
      started_ns integer,
      ended_ns integer,
      paused_ns integer,
      paused_total_ns integer not null,
      paused_count integer not null,
      paused_dropped_count integer not null,
      heartbeat_ns integer,
      reason text not null,
      error_type text not null,
      owner_host text,
      owner_boot_id text,
      owner_pid integer,
      owner_start_ticks integer,
      parent_run_id text,
      group_name text not null,
      hypothesis text not null,
      condition text not null,
      description text not null,
      attempt integer not null,
      root_span_id text,
      resource_id integer references resources (resource_id),
      state_ns integer not null,
      record_ns integer not null
    )
    """,
    # Newest first, the order of every list of runs.
    "create index runs_by_created on runs (created_ns desc, run_id)",
    "create index runs_by_experiment on runs (experiment, created_ns desc, run_id)",
    "create index runs_by_name on runs (name, run_id)",
    """
    create table params (
      run_id text not null references runs (run_id) on delete cascade,
      key text not null,
      type text not null check (type in ('str', 'int', 'float', 'bool', 'null', 'list')),
      value_text text,
      value_number,
      value_bool integer,
      value_json text not null,
      time_ns integer not null,
      primary key (run_id, key)
    ) without rowid
    """,
    "create index params_by_number on params (key, value_number, run_id) where value_number is not null",
    "create index params_by_text on params (key, value_text, run_id) where value_text is not null",
    """
    create index params_by_other on params (key, type, value_bool, run_id)
      where value_number is null and value_text is null
    """,
    """
    create table tags (
      run_id text not null references runs (run_id) on delete cascade,
      key text not null,
      value text,
      time_ns integer not null,
      primary key (run_id, key)
    ) without rowid
    """,
    "create index tags_by_value on tags (key, value, run_id)",
    """
    create table metric_definitions (
      run_id text not null references runs (run_id) on delete cascade,
      pattern text not null,
      direction text check (direction in ('min', 'max')),
      primary key (run_id, pattern)
    ) without rowid
    """,
    """
    create table series (
      series_id integer primary key,
      run_id text not null references runs (run_id) on delete cascade,
      name text not null,
      phase text not null,
      direction text check (direction in ('min', 'max')),
      count integer not null,
      nan_count integer not null,
      finite_count integer not null,
      finite_sum real not null,
      first_step real,
      last real,
      last_step real,
      last_time_ns integer not null,
      minimum real,
      minimum_step real,
      maximum real,
      maximum_step real,
      chunk_count integer not null,
      open_chunk_count integer not null,
      open_point_count integer not null,
      unique (run_id, name, phase)
    )
    """,
    # Filters and sort keys on metrics over all runs read this index alone, in one sweep.
    """
    create index series_by_name on series
      (name, run_id, phase, last, minimum, maximum, direction)
    """,
    """
    create table axes (
      axis_id integer primary key,
      run_id text not null references runs (run_id) on delete cascade,
      encoding integer not null,
      count integer not null,
      first_step real,
      last_step real,
      min_step real,
      max_step real,
      unplaced_count integer not null,
      is_ascending integer not null,
      step_increment integer,
      first_time_ns integer not null,
      last_time_ns integer not null,
      steps_data blob not null,
      times_data blob not null
    )
    """,
    "create index axes_by_run on axes (run_id)",
    """
    create table chunks (
      series_id integer not null references series (series_id) on delete cascade,
      seq integer not null,
      axis_id integer not null references axes (axis_id),
      is_sealed integer not null,
      encoding integer not null,
      count integer not null,
      nan_count integer not null,
      minimum real,
      maximum real,
      last real,
      values_data blob not null,
      unique (series_id, seq)
    )
    """,
    "create index chunks_by_axis on chunks (axis_id)",
    """
    create table spans (
      span_key integer primary key,
      trace_id text not null,
      span_id text not null,
      parent_span_id text,
      run_id text references runs (run_id) on delete cascade,
      name text not null,
      kind integer not null,
      start_ns integer not null,
      end_ns integer,
      status integer not null,
      status_message text not null,
      attributes text not null,
      trace_state text not null,
      flags integer not null,
      dropped_attributes_count integer not null,
      dropped_events_count integer not null,
      dropped_links_count integer not null,
      resource_id integer not null references resources (resource_id),
      scope_id integer not null references scopes (scope_id),
      unique (trace_id, span_id)
    )
    """,
    "create index spans_by_run on spans (run_id, start_ns)",
    "create index spans_by_name on spans (name, start_ns)",
    """
    create table span_events (
      trace_id text not null,
      span_id text not null,
      seq integer not null,
      time_ns integer not null,
      name text not null,
      attributes text not null,
      dropped_attributes_count integer not null,
      primary key (trace_id, span_id, seq),
      foreign key (trace_id, span_id) references spans (trace_id, span_id) on delete cascade
    ) without rowid
    """,
    """
    create table span_links (
      trace_id text not null,
      span_id text not null,
      seq integer not null,
      linked_trace_id text not null,
      linked_span_id text not null,
      trace_state text not null,
      attributes text not null,
      dropped_attributes_count integer not null,
      primary key (trace_id, span_id, seq),
      foreign key (trace_id, span_id) references spans (trace_id, span_id) on delete cascade
    ) without rowid
    """,
    """
    create table log_records (
      log_record_id integer primary key,
      hash text not null unique,
      run_id text references runs (run_id) on delete cascade,
      time_ns integer not null,
      observed_time_ns integer not null,
      event_name text not null,
      severity_number integer not null,
      severity_text text not null,
      body text not null,
      attributes text not null,
      trace_id text,
      span_id text,
      flags integer not null,
      dropped_attributes_count integer not null,
      resource_id integer not null references resources (resource_id),
      scope_id integer not null references scopes (scope_id)
    )
    """,
    "create index log_records_by_run on log_records (run_id, time_ns)",
    "create index log_records_by_event on log_records (event_name, time_ns)",
    """
    create table instrument_points (
      instrument_point_id integer primary key,
      hash text not null unique,
      run_id text references runs (run_id) on delete cascade,
      name text not null,
      kind text not null,
      unit text not null,
      description text not null,
      time_ns integer not null,
      start_ns integer not null,
      value,
      value_is_nan integer not null,
      histogram text,
      is_monotonic integer not null,
      temporality integer not null,
      flags integer not null,
      attributes text not null,
      exemplars text not null,
      resource_id integer not null references resources (resource_id),
      scope_id integer not null references scopes (scope_id)
    )
    """,
    "create index instrument_points_by_run on instrument_points (run_id, name, time_ns)",
    "create index instrument_points_by_name on instrument_points (name, time_ns)",
    """
    create table segments (
      segment_id text primary key,
      stored_bytes integer not null
    ) without rowid
    """,
)

_V2 = (
    # Ranks of one run have series of their own. SQLite changes no unique constraint: the table is made anew.
    """
    create table series_of_ranks (
      series_id integer primary key,
      run_id text not null references runs (run_id) on delete cascade,
      name text not null,
      phase text not null,
      rank integer not null default 0,
      direction text check (direction in ('min', 'max')),
      count integer not null,
      nan_count integer not null,
      finite_count integer not null,
      finite_sum real not null,
      first_step real,
      last real,
      last_step real,
      last_time_ns integer not null,
      minimum real,
      minimum_step real,
      maximum real,
      maximum_step real,
      chunk_count integer not null,
      open_chunk_count integer not null,
      open_point_count integer not null,
      unique (run_id, name, phase, rank)
    )
    """,
    """
    insert into series_of_ranks
    select series_id, run_id, name, phase, 0, direction, count, nan_count, finite_count, finite_sum, first_step,
      last, last_step, last_time_ns, minimum, minimum_step, maximum, maximum_step, chunk_count, open_chunk_count,
      open_point_count
    from series
    """,
    "drop table series",
    "alter table series_of_ranks rename to series",
    """
    create index series_by_name on series
      (name, run_id, phase, rank, last, minimum, maximum, direction)
    """,
)

_V3 = (
    """
    create table unsent (
      run_id text not null references runs (run_id) on delete cascade,
      signal text not null check (signal in ('traces', 'metrics', 'logs')),
      destination text not null,
      owner_host text not null,
      owner_boot_id text not null,
      owner_pid integer not null,
      owner_start_ticks integer not null,
      since_ns integer not null,
      count integer not null,
      reason text not null,
      is_push integer not null,
      noted_ns integer not null,
      primary key (run_id, signal, destination, owner_host, owner_boot_id, owner_pid, owner_start_ticks)
    ) without rowid
    """,
)

_V4 = (
    # Telemetry of no run may be attached to one later, and be taken back.
    "alter table spans add column attached_ns integer",
    "alter table log_records add column attached_ns integer",
    "alter table instrument_points add column attached_ns integer",
    "create index spans_attached on spans (run_id) where attached_ns is not null",
    "create index log_records_attached on log_records (run_id) where attached_ns is not null",
    "create index instrument_points_attached on instrument_points (run_id) where attached_ns is not null",
    # What names no run joins the run of its trace, when that is known.
    "create index spans_of_no_run on spans (trace_id) where run_id is null",
    """
    create index log_records_of_no_run on log_records (trace_id)
      where run_id is null and trace_id is not null
    """,
)

_V5 = (
    """
    create table artifacts (
      artifact_id integer primary key,
      hash text not null unique,
      run_id text not null references runs (run_id) on delete cascade,
      role text not null check (role in ('artifact', 'media')),
      experiment text not null,
      name text not null,
      type text not null,
      digest text not null,
      is_folder integer not null,
      size_bytes integer not null,
      file_count integer not null,
      file_name text not null,
      media_type text not null,
      step real,
      position integer not null,
      caption text not null,
      metadata text not null,
      place text not null,
      rank integer,
      span_id text not null,
      time_ns integer not null
    )
    """,
    "create index artifacts_by_run on artifacts (run_id, role, name, time_ns)",
    # The version that was logged last is the end of its name's stretch.
    """
    create index artifacts_by_name on artifacts (name, experiment, time_ns, digest)
      where role = 'artifact'
    """,
    "create index artifacts_by_digest on artifacts (digest)",
    # A number is given once, also where the run that logged the version is gone.
    """
    create table artifact_versions (
      experiment text not null,
      name text not null,
      version integer not null,
      digest text not null,
      primary key (experiment, name, version),
      unique (experiment, name, digest)
    ) without rowid
    """,
    """
    create table artifact_aliases (
      experiment text not null,
      name text not null,
      alias text not null,
      digest text,
      time_ns integer not null,
      run_id text not null,
      primary key (experiment, name, alias)
    ) without rowid
    """,
    "create index artifact_aliases_by_run on artifact_aliases (run_id)",
    """
    create table artifact_uses (
      run_id text not null references runs (run_id) on delete cascade,
      digest text not null,
      experiment text not null,
      name text not null,
      time_ns integer not null,
      primary key (run_id, digest, experiment, name)
    ) without rowid
    """,
    "create index artifact_uses_by_digest on artifact_uses (digest)",
    # What joined a run by its trace has attached_ns 0, and is asked about again when more of the trace arrives.
    "create index spans_joined on spans (trace_id) where attached_ns = 0",
    "create index log_records_joined on log_records (trace_id) where attached_ns = 0",
)

_V6 = (
    # The values that later ones replaced: a param that changes keeps its history.
    """
    create table param_history (
      run_id text not null references runs (run_id) on delete cascade,
      key text not null,
      time_ns integer not null,
      value_json text not null,
      primary key (run_id, key, time_ns)
    ) without rowid
    """,
    # What a program sets in the summary of its run, with the columns of params.
    """
    create table summaries (
      run_id text not null references runs (run_id) on delete cascade,
      key text not null,
      type text not null check (type in ('str', 'int', 'float', 'bool', 'null', 'list')),
      value_text text,
      value_number,
      value_bool integer,
      value_json text not null,
      time_ns integer not null,
      primary key (run_id, key)
    ) without rowid
    """,
    "create index summaries_by_number on summaries (key, value_number, run_id) where value_number is not null",
    "create index summaries_by_text on summaries (key, value_text, run_id) where value_text is not null",
    """
    create index summaries_by_other on summaries (key, type, value_bool, run_id)
      where value_number is null and value_text is null
    """,
    "alter table metric_definitions add column step_metric text not null default ''",
    "alter table metric_definitions add column summary text not null default ''",
    "alter table metric_definitions add column is_hidden integer not null default 0",
    # What was said of a run after it was recorded. The columns of runs are made of it, and searched.
    """
    create table edits (
      run_id text not null references runs (run_id) on delete cascade,
      field text not null check (field in ('name', 'group', 'note', 'pinned', 'archived', 'removed')),
      value text,
      time_ns integer not null,
      author text not null,
      primary key (run_id, field)
    ) without rowid
    """,
    "alter table runs add column note text not null default ''",
    "alter table runs add column pinned_ns integer",
    "alter table runs add column archived_ns integer",
    "alter table runs add column removed_ns integer",
    # As before, with what every list of runs asks as well.
    "drop index runs_by_created",
    "create index runs_by_created on runs (created_ns desc, run_id, removed_ns, archived_ns)",
    "drop index runs_by_experiment",
    "create index runs_by_experiment on runs (experiment, created_ns desc, run_id, removed_ns, archived_ns)",
    "create index runs_removed on runs (removed_ns, run_id) where removed_ns is not null",
    # What arrives late of a run that is gone must not bring half of it back. A new number is the largest.
    """
    create table purged_runs (
      purge_id integer primary key,
      run_id text not null unique,
      time_ns integer not null,
      is_back integer not null
    )
    """,
)

_V7 = (
    # What a search asks of the spans of a run, so that none of them is read for it.
    """
    create table span_summaries (
      run_id text not null references runs (run_id) on delete cascade,
      name text not null,
      count integer not null,
      error_count integer not null,
      total_ns integer not null,
      minimum_ns integer not null,
      maximum_ns integer not null,
      p50_ns real not null,
      p95_ns real not null,
      p99_ns real not null,
      sketch blob not null,
      primary key (run_id, name)
    ) without rowid
    """,
    # Filters and sort keys on spans over all runs read this index alone, in one sweep.
    """
    create index span_summaries_by_name on span_summaries
      (name, run_id, count, error_count, total_ns, minimum_ns, maximum_ns, p50_ns, p95_ns, p99_ns)
    """,
    # As before, with the run, so that counting the events of runs reads nothing else.
    "drop index log_records_by_event",
    "create index log_records_by_event on log_records (event_name, time_ns, run_id)",
)
"""The rows are made of the spans that are stored: `span_summaries.summarize_stored`."""

_V8 = (
    # Which attempt recorded the points, where the process said so: points may have times of their own.
    "alter table chunks add column attempt integer not null default 0",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_V1, _V2, _V3, _V4, _V5, _V6, _V7, _V8)
"""Migration i leads from schema version i to i + 1."""

SCHEMA_VERSION: Final = len(MIGRATIONS)

SPANS_SUMMARIZED: Final = 7
"""From this version on, a store has summaries of its spans."""

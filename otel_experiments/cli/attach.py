"""`otel-experiments attach`: list telemetry that belongs to no run, give it to one, take it back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import click

from otel_experiments._attach import attach, detach, telemetry_query
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option, typed_store
from otel_experiments.cli.session import open_session, store_location
from otel_experiments.cli.telemetry_groups import print_groups
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.edit.attach import AttachReport
from otel_experiments.model.attachment import TelemetryGroup
from otel_experiments.query.json_values import json_line
from otel_experiments.query.plain import plain_group

_MOST_TRACES = 20


def _read_resource(
    ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str | None]:
    """Return KEY=VALUE texts as a mapping; a KEY alone asks only whether it is there."""
    found: dict[str, str | None] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not key:
            raise click.BadParameter(f"{text!r} is no KEY=VALUE.", ctx, param)
        found[key] = value if sign else None
    return found


@click.command("attach")
@store_option
@click.argument("run", required=False)
@click.option("--trace", metavar="ID", help="A trace id, or its beginning.")
@click.option("--service", metavar="NAME", help="What a service sent.")
@click.option("--since", metavar="TIME", help="What began then or later, such as '2026-01-31 18:30'.")
@click.option("--until", metavar="TIME", help="What began before that.")
@click.option(
    "--resource",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_read_resource,
    help="What has this attribute of the resource; may be repeated.",
)
@click.option("--undo", is_flag=True, help="Take back what was attached to RUN, or the part that is named.")
@json_option
@click.pass_context
def command(  # noqa: PLR0913 - one option each
    ctx: click.Context,
    *,
    run: str | None,
    trace: str | None,
    service: str | None,
    since: str | None,
    until: str | None,
    resource: Mapping[str, str | None],
    undo: bool,
    as_json: bool,
) -> None:
    """Attach telemetry that belongs to no run to RUN; without RUN, list what there is.

    No attribute is changed, and --undo takes it back. Gauges become metrics of the run.
    """
    selection = {"trace": trace, "service": service, "since": since, "until": until}
    if run is None:
        if undo:
            raise click.UsageError("--undo needs a RUN.")
        query = telemetry_query(open_session(ctx).store, **selection, resource=resource)
        store = open_session(ctx).store
        services = store.telemetry_groups(query)
        traces = store.telemetry_groups(query, by_trace=True, limit=_MOST_TRACES)
        _print_list(services, traces, as_json=as_json)
        return
    location = str(store_location(ctx))
    change = detach if undo else attach
    report = change(run, **selection, resource=resource, store=location)
    if not report.is_found:
        click.echo(
            f"Nothing was attached to run {report.run_id[:8]}: no telemetry without a run is meant, and none was attached before.\n"
            "  Correct a trace, service, time or attribute; what there is lists: "
            f"otel-experiments attach{typed_store()}",
            err=True,
        )
        ctx.exit(ExitCode.NOT_FOUND)
    _print_report(report, is_undo=undo, as_json=as_json)


def _print_list(
    services: Sequence[TelemetryGroup], traces: Sequence[TelemetryGroup], *, as_json: bool
) -> None:
    if as_json:
        shown = {
            "services": [plain_group(one) for one in services],
            "traces": [plain_group(one) for one in traces],
        }
        click.echo(json_line(shown))
        return
    if not services:
        click.echo("All telemetry that is meant belongs to a run.")
        return
    console = make_console()
    print_groups(services)
    if traces:
        console.print()
        now_ns = time.time_ns()
        rows = [
            [
                trace.trace_id or "",
                fmt.clean(trace.name),
                fmt.clean(trace.service),
                f"{trace.span_count:,}",
                fmt.age((now_ns - trace.last_ns) / 1e9),
            ]
            for trace in traces
        ]
        layout = [
            Column("trace"),
            Column("first span", is_elastic=True, max_width=40),
            Column("service", is_elastic=True, max_width=30),
            Column("spans", is_right=True),
            Column("age", is_right=True),
        ]
        print_table(console, layout, rows)
    click.echo(
        f"\nGive it to a run: otel-experiments attach RUN{typed_store()} --service NAME, or --trace ID"
    )


def _print_report(report: AttachReport, *, is_undo: bool, as_json: bool) -> None:
    if as_json:
        shown = {
            "run_id": report.run_id,
            "services": [plain_group(one) for one in report.groups],
            "series_count": report.series_count,
        }
        click.echo(json_line(shown))
        return
    run = report.run_id[:8]
    if not report.groups:
        what = (
            "Nothing that is meant was attached to it"
            if is_undo
            else "What is meant is attached to it already"
        )
        click.echo(f"Run {run} is as it was. {what}: otel-experiments show {run}{typed_store()}")
        return
    counts = ", ".join(
        f"{count:,} {noun}{'s' * (count != 1)}"
        for count, noun in (
            (report.span_count, "span"),
            (report.log_record_count, "log record"),
            (report.data_point_count, "data point"),
        )
        if count
    )
    services = ", ".join(fmt.clean(name) or "(no service)" for name in report.services)
    verb = "Taken back from" if is_undo else "Attached to"
    click.echo(f"{verb} run {run}: {counts} of {services}.")
    if report.series_count:
        click.echo(
            f"Points of it are no longer in {report.series_count:,} of the run's metrics."
            if is_undo
            else f"Points of it are in {report.series_count:,} of the run's metrics: otel-experiments metrics {run}{typed_store()}"
        )

"""The process that reads what another one writes to standard output and standard error: `capture_output="fd"`.

It is started by `record/output/descriptors.py`, hands on what it reads, records it in the run that its environment names, and ends when
nobody has the writing ends any more.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

_READY = b"1"


def main(arguments: Sequence[str]) -> None:
    """Read until nothing can come any more; `arguments` are the other process's encodings, id and numbers of descriptors."""
    if os.fork():  # before anything is imported: the program is to have no child that it has not made
        os._exit(0)
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # of the whole job: the program may have more to say
        signal.signal(number, signal.SIG_IGN)
    from otel_experiments._configure import join_run, shutdown  # noqa: PLC0415 - after the fork
    from otel_experiments.record.base.current import active_runs  # noqa: PLC0415 - as above
    from otel_experiments.record.output.pump import Channel, pump  # noqa: PLC0415 - as above
    from otel_experiments.record.output.writer import RunOutput  # noqa: PLC0415 - as above

    out_encoding, err_encoding, *rest = arguments
    pid, *numbers = map(int, rest)
    out, err, out_target, err_target, told = numbers
    with join_run() as run:
        core = active_runs[run.id]
        channels = [
            Channel(out_target, RunOutput(core, "stdout", pid=pid), ends=(out, -1), encoding=out_encoding),
            Channel(err_target, RunOutput(core, "stderr", pid=pid), ends=(err, -1), encoding=err_encoding),
        ]
        os.write(told, _READY)
        pump(channels, is_over=lambda: not any(one.is_open for one in channels), grace_s=0)
    shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])

"""Which process of a job this one is, and whether the processes of the job record one run together.

Tasks that a scheduler starts side by side may be one training or as many trials: numbers alone (`SLURM_PROCID`) do
not tell. They are ranks of one run where a launcher of torch started them, where a process group exists (torch,
MPI), or where the user says so. Nobody is talked to: each rank derives the same ids from what all of them are
told. Nothing is imported to find out.
Source: decision 0011; torch.distributed (environment variables of torchrun), srun(1), mpirun(1), MPI-4 10.
"""

from __future__ import annotations

import hashlib
import multiprocessing.process
import os
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast, get_args

from opentelemetry.trace import SpanContext, TraceFlags

from otel_experiments.codec.text import shown
from otel_experiments.errors import ConfigurationError
from otel_experiments.journal.owner import process_start_ticks
from otel_experiments.model.run import Run
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.semconv import attributes as attr

RanksMode = Literal["auto", "join", "separate"]
"""`auto`: ranks that are known to be of one job record one run; `join`: whoever has a number does; `separate`: nobody."""

JOB_ID_VARIABLE: Final = "OTEL_EXPERIMENTS_JOB_ID"
_MAX_ANCESTORS: Final = 64
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_started: Counter[tuple[str, str]] = Counter()
_is_watching = False
"""Whether this process has started a run of its own, and might turn out to be a rank."""
_told_already: set[str] = set()


class _Family(NamedTuple):
    """The variables in which one kind of launcher numbers the processes that it starts."""

    rank: str
    world_size: str
    local_rank: str
    local_size: str = ""


_TORCH: Final = _Family("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_SLURM: Final = _Family("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
_OPEN_MPI: Final = _Family(
    "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"
)
_PMI: Final = _Family("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS")
_FAMILIES: Final = (_TORCH, _OPEN_MPI, _PMI, _SLURM)


def is_rank() -> bool:
    """Whether this process has started a run that several ranks record together."""
    return bool(_started)


def checked_mode(mode: str) -> RanksMode:
    """Return the mode.

    Raises:
        ConfigurationError: there is no such mode.
    """
    if mode not in get_args(RanksMode):
        raise ConfigurationError(
            f"ranks={shown(mode)} cannot be used: it is none of {', '.join(get_args(RanksMode))}.\n"
            "  Pass 'join' for processes that record one run, 'separate' for processes that do not."
        )
    return cast("RanksMode", mode)


@dataclass(frozen=True, slots=True)
class Place:
    """The number of a process in its job, and of how many; `family` is who numbered it, if anybody did."""

    rank: int
    world_size: int
    local_rank: int | None = None
    family: _Family | None = None


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of this process among the ranks of a job that make one run together.

    All ranks derive the same `run_id` and `root_span_id` (hex).
    """

    place: Place
    run_id: str
    root_span_id: str

    @property
    def number(self) -> int:
        """The rank: 0 starts the run, the others join it."""
        return self.place.rank

    def has_begun(self, known: Run) -> bool:
        """Whether rank 0 of this job has begun the latest attempt of a run that is known."""
        return known.root_span_id == self.root_span_id

    @property
    def root(self) -> SpanContext:
        """The root span, which rank 0 opens."""
        return SpanContext(
            int(self.run_id, 16), int(self.root_span_id, 16), is_remote=True, trace_flags=TraceFlags(1)
        )

    @property
    def attributes(self) -> dict[str, int]:
        """What the resource of this process says of its place in the run."""
        found = {
            attr.ML_DISTRIBUTED_RANK: self.place.rank,
            attr.ML_DISTRIBUTED_WORLD_SIZE: self.place.world_size,
        }
        if self.place.local_rank is not None:
            found[attr.ML_DISTRIBUTED_LOCAL_RANK] = self.place.local_rank
        return found


def find_rank(
    environ: Mapping[str, str], experiment: str, name: str | None, mode: RanksMode = "auto"
) -> Rank | None:
    """Return this process's place among the ranks that record one run; None when it records a run of its own.

    Every rank that starts a run of the same experiment and name for the n-th time gets the same ids.
    """
    global _is_watching  # noqa: PLW0603 - what this process is may show later
    _is_watching = False
    if mode == "separate":
        return None
    place = find_place(environ, is_asked=mode == "join" or bool(environ.get(JOB_ID_VARIABLE)))
    if place is None:
        _is_watching = mode == "auto"
        return None
    job = _job_name(environ, place)
    if job is None:
        _tell_once(
            "This process is rank %d of %d, but nothing names the job in the same words on all ranks, so it records "
            f"runs of its own. Set {JOB_ID_VARIABLE} to one text on all of them, another one for each job.",
            place.rank,
            place.world_size,
        )
        return None
    ordinal = _started[experiment, name or ""]
    _started[experiment, name or ""] += 1
    restart = environ.get("TORCHELASTIC_RESTART_COUNT") or environ.get("SLURM_RESTART_COUNT") or "0"
    program = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119 - a text
    text = "\0".join([*job, restart, program, experiment, name or "", str(ordinal)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return Rank(place, digest[:32], digest[32:48])


def look_for_late_group() -> None:
    """Say it once where a process group appears after this process, a rank above 0, has started a run of its own."""
    global _is_watching  # noqa: PLW0603 - as above
    if not _is_watching:
        return
    group = _torch_group() or _mpi_group()
    if group is None or group[1] < 2:
        return
    _is_watching = False
    if group[0]:  # where rank 0 alone records, it may start its run whenever it likes
        _tell_once(
            "This process is rank %d of a process group of %d that came after the run had started, so the run is this "
            "rank's own. For one run of all ranks start it after the group, or with ranks='join'; "
            "ranks='separate' says that it is meant so.",
            *group,
        )


def _tell_once(message: str, *arguments: object) -> None:
    if message not in _told_already:
        _told_already.add(message)
        tell(logger, message, *arguments)


def find_place(environ: Mapping[str, str], *, is_asked: bool = False) -> Place | None:
    """Return this process's number in its job; None when it is alone, or nobody knows that it is not.

    `is_asked`: the numbers of any launcher will do.
    """
    told = [place for place in (_told(environ, family) for family in _FAMILIES) if place is not None]
    group = _torch_group() or _mpi_group()
    if group is not None and group[1] > 1:
        return next((place for place in told if (place.rank, place.world_size) == group), Place(*group))
    if is_asked:
        return next(iter(told), None)
    is_torch = bool(told) and told[0].family is _TORCH and group is None
    if not is_torch:
        return None
    has_address = bool(environ.get("MASTER_ADDR") and environ.get("MASTER_PORT"))
    return told[0] if has_address or environ.get("TORCHELASTIC_RUN_ID") else None


def _told(environ: Mapping[str, str], family: _Family) -> Place | None:
    """Return what one kind of launcher told this process; None where it told nothing, or another process."""
    if family is not _TORCH and multiprocessing.process.parent_process() is not None:
        return None  # the parent's number
    if family is _SLURM and not environ.get("SLURM_STEP_ID"):
        return None  # outside of srun there is one process, whatever SLURM_NTASKS says
    rank = _number(environ, family.rank)
    world_size = None if rank is None else _number(environ, family.world_size)
    if rank is None or world_size is None or rank >= world_size or world_size < 2:
        return None
    return Place(rank, world_size, _number(environ, family.local_rank), family)


def _number(environ: Mapping[str, str], variable: str) -> int | None:
    text = environ.get(variable, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def _torch_group() -> tuple[int, int] | None:
    """Return (rank, size) of torch's process group; None where there is none."""
    distributed = sys.modules.get("torch.distributed")
    try:
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank()), int(distributed.get_world_size())
    except Exception as error:  # a module of another name or age; then it tells nothing
        if is_interruption(error):
            raise
    return None


def _mpi_group() -> tuple[int, int] | None:
    """Return (rank, size) of MPI's world; None where mpi4py has not initialised it."""
    mpi = sys.modules.get("mpi4py.MPI")
    try:
        if mpi is not None and mpi.Is_initialized() and not mpi.Is_finalized():
            return int(mpi.COMM_WORLD.Get_rank()), int(mpi.COMM_WORLD.Get_size())
    except Exception as error:  # as above
        if is_interruption(error):
            raise
    return None


def _job_name(environ: Mapping[str, str], place: Place) -> list[str] | None:
    """Return what names the job, and nothing else in time and space, in the same words on all ranks."""
    given = environ.get(JOB_ID_VARIABLE)
    if given:
        return ["given", given]
    if place.family is None or place.family is _TORCH:
        return _torch_name(environ, place) if place.family is _TORCH else None
    mpi = environ.get("PMIX_NAMESPACE") or environ.get("OMPI_MCA_ess_base_jobid")
    if place.family is _OPEN_MPI and mpi:
        return ["mpi", mpi]
    slurm = _told(environ, _SLURM)
    if slurm is not None and (slurm.rank, slurm.world_size) == (place.rank, place.world_size):
        return ["slurm", *_slurm_step(environ)]
    if _is_one_machine(environ, place, place.family):
        return ["launcher", *_launcher(environ, place.family)]
    return None


def _torch_name(environ: Mapping[str, str], place: Place) -> list[str] | None:
    words = ["torch"]
    elastic = environ.get("TORCHELASTIC_RUN_ID", "none")
    if elastic != "none":  # what torchrun says when it was told no --rdzv-id
        words.append(elastic)
    elif environ.get("MASTER_ADDR"):
        words += [environ["MASTER_ADDR"], environ.get("MASTER_PORT", ""), *_slurm_step(environ)]
    if _is_one_machine(environ, place, _TORCH):
        # The next job may well use the same name or port, but it has another launcher.
        words += _launcher(environ, _TORCH)
    return words if len(words) > 1 else None


def _slurm_step(environ: Mapping[str, str]) -> list[str]:
    return [environ.get("SLURM_JOB_ID", ""), environ.get("SLURM_STEP_ID", "")]


def _is_one_machine(environ: Mapping[str, str], place: Place, family: _Family) -> bool:
    local_size = _number(environ, family.local_size) if family.local_size else None
    if local_size is not None:
        return local_size == place.world_size
    return family is _TORCH and environ.get("MASTER_ADDR", "").lower() in _LOOPBACK


def _launcher(environ: Mapping[str, str], family: _Family) -> list[str]:
    """Return who started the ranks: the nearest ancestor that was not itself told to be this rank.

    A shell script between launcher and program was told so, too, and there is one for each rank.
    """
    own = {name: environ.get(name, "") for name in family if name}
    pid = os.getppid()
    for _ in range(_MAX_ANCESTORS):
        try:
            pairs = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "surrogateescape").split("\0")
            told = dict(pair.partition("=")[::2] for pair in pairs)
            if any(told.get(name, "") != value for name, value in own.items()):
                break
            above = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError) as error:  # no /proc, or somebody else's process
            if is_interruption(error):
                raise
            break
        if not above:
            break
        pid = above
    return [str(pid), str(process_start_ticks(pid))]

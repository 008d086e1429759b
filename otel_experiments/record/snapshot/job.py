"""What environment variables say of a run: the job that it is part of, and the settings that change what it computes.

An allow-list: no other variable is read, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from otel_experiments.codec.text import clean_text

MAX_CHARS: Final = 1000
MAX_VARIABLES: Final = 200

_VARIABLES: Final = re.compile(
    r"CUDA_(?:VISIBLE_DEVICES|LAUNCH_BLOCKING|DEVICE_ORDER|DEVICE_MAX_CONNECTIONS|HOME)|CUBLAS_WORKSPACE_CONFIG"
    r"|(?:HIP|ROCR|GPU|NVIDIA|ONEAPI|ZE|ASCEND|TPU)_VISIBLE_\w+|TPU_\w{1,40}|NCCL_\w{1,40}|RCCL_\w{1,40}|GLOO_\w{1,40}"
    r"|(?:OMP|MKL|OPENBLAS|NUMEXPR|VECLIB|RAYON|TBB|KMP)_\w{1,40}"
    r"|PYTHON(?:PATH|HASHSEED|OPTIMIZE|DEVMODE|WARNINGS|MALLOC|UTF8|NOUSERSITE)"
    r"|TF_(?:ENABLE|XLA|GPU|CPP|FORCE|DETERMINISTIC|CUDNN|NUM|DISABLE|USE)_\w{1,40}"
    r"|(?:PYTORCH|TORCH|TORCHINDUCTOR|TRITON|XLA|JAX|KERAS|TRANSFORMERS|ACCELERATE|FLASH_ATTENTION|DEEPSPEED)_\w{1,40}"
    r"|HF_(?:HOME|HUB_OFFLINE|DATASETS_OFFLINE|DATASETS_CACHE|HUB_CACHE)|TOKENIZERS_PARALLELISM"
    r"|LD_PRELOAD|LD_LIBRARY_PATH|MALLOC_ARENA_MAX|VIRTUAL_ENV|CONDA_DEFAULT_ENV|CONDA_PREFIX|LANG|LC_ALL|TZ"
    r"|WORLD_SIZE|RANK|LOCAL_RANK|LOCAL_WORLD_SIZE|NODE_RANK|GROUP_RANK|MASTER_ADDR|MASTER_PORT|SOURCE_DATE_EPOCH"
)
"""What changes results or speed, and holds no secret by its meaning."""

_JOBS: Final[Mapping[str, Mapping[str, str]]] = {
    "slurm": {
        "job_id": "SLURM_JOB_ID", "job_name": "SLURM_JOB_NAME", "array_job_id": "SLURM_ARRAY_JOB_ID",
        "array_task_id": "SLURM_ARRAY_TASK_ID", "partition": "SLURM_JOB_PARTITION", "account": "SLURM_JOB_ACCOUNT",
        "nodes": "SLURM_JOB_NODELIST", "node_count": "SLURM_JOB_NUM_NODES", "task_count": "SLURM_NTASKS",
        "cluster": "SLURM_CLUSTER_NAME", "restart_count": "SLURM_RESTART_COUNT",
    },
    "kubernetes": {
        "service_host": "KUBERNETES_SERVICE_HOST", "pod": "POD_NAME", "namespace": "POD_NAMESPACE", "node": "NODE_NAME",
        "hostname": "HOSTNAME",
    },
    "lsf": {"job_id": "LSB_JOBID", "job_name": "LSB_JOBNAME", "queue": "LSB_QUEUE", "hosts": "LSB_HOSTS"},
    "pbs": {"job_id": "PBS_JOBID", "job_name": "PBS_JOBNAME", "queue": "PBS_QUEUE"},
    "sagemaker": {"job_name": "TRAINING_JOB_NAME", "region": "AWS_REGION"},
    "ray": {"job_id": "RAY_JOB_ID", "submission_id": "RAY_JOB_SUBMISSION_ID"},
    "colab": {"release": "COLAB_RELEASE_TAG"},
    "kaggle": {"kernel": "KAGGLE_KERNEL_RUN_TYPE"},
    "github": {
        "repository": "GITHUB_REPOSITORY", "workflow": "GITHUB_WORKFLOW", "job": "GITHUB_JOB", "run_id": "GITHUB_RUN_ID",
        "attempt": "GITHUB_RUN_ATTEMPT", "event": "GITHUB_EVENT_NAME", "ref": "GITHUB_REF", "server": "GITHUB_SERVER_URL",
        "actor": "GITHUB_ACTOR",
    },
    "gitlab": {
        "project": "CI_PROJECT_PATH", "pipeline_id": "CI_PIPELINE_ID", "job_id": "CI_JOB_ID", "job": "CI_JOB_NAME",
        "url": "CI_JOB_URL", "ref": "CI_COMMIT_REF_NAME", "source": "CI_PIPELINE_SOURCE",
    },
    "jenkins": {"job": "JOB_NAME", "build": "BUILD_NUMBER", "url": "BUILD_URL"},
    "buildkite": {
        "pipeline": "BUILDKITE_PIPELINE_SLUG", "build": "BUILDKITE_BUILD_NUMBER", "job_id": "BUILDKITE_JOB_ID",
        "url": "BUILDKITE_BUILD_URL",
    },
    "circleci": {"job": "CIRCLE_JOB", "build": "CIRCLE_BUILD_NUM", "url": "CIRCLE_BUILD_URL"},
    "azure": {"build": "BUILD_BUILDID", "definition": "BUILD_DEFINITIONNAME"},
}  # fmt: skip
"""Systems that start jobs, and what each says of the one it started. The first variable tells that it did."""


def job_facts(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what the systems that started this job say of it, by system."""
    found = {}
    for system, names in _JOBS.items():
        if environ.get(next(iter(names.values()))):
            found[system] = {fact: _cut(text) for fact, name in names.items() if (text := environ.get(name))}
    return found


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that change what a training computes or how fast, by name."""
    names = sorted(name for name in environ if _VARIABLES.fullmatch(name))
    return {clean_text(name): _cut(environ[name]) for name in names[:MAX_VARIABLES]}


def _cut(text: str) -> str:
    return clean_text(text[:MAX_CHARS])

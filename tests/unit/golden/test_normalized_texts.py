"""What of a text is the run's and not the program's: ids, times, hosts and processes, also inside of longer words."""

import platform
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.environment import Surroundings
from otel_experiments.golden.canonical.normalize import Token, normalize_text
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.file import write_golden
from otel_experiments.model.span import Event, Resource, Span

UUID = "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"job-{UUID}", "job-<uuid>"),
        (f"job_{UUID}_retry", "job_<uuid>_retry"),
        (f"jobs/{UUID.upper()}/x", "jobs/<uuid>/x"),
        (f"artifact:{UUID}:v3", "artifact:<uuid>:v3"),
        ("model-0123456789abcdef0123456789abcdef.pt", "model-<hex>.pt"),
        ("cache_0123456789abcdef01", "cache_<hex>"),
        ("resnet50-baseline-2024-06-01_12-33-22", "resnet50-baseline-<time>"),
        ("resnet50_2024-06-01T12:33:22.123456+00:00_seed3", "resnet50_<time>_seed3"),
        ("runs/2024-06-01/12-33-22/0", "runs/<time>/0"),
        ("run-20260601_123322-abc123", "run-<time>-<id>"),
        ("wandb/run-20240601_123322-3xk2p9qz/files", "wandb/run-<time>-<id>/files"),
        ("exp_20240601T123322Z_lr0.1", "exp_<time>_lr0.1"),
        ("exp-20240601123322-fp16", "exp-<time>-fp16"),
        ("lightning_20240601-1233_v2", "lightning_<time>_v2"),
        ("runs/Nov29_23-42-27_HOST", "runs/<time>_<host>"),
        ("Jun01_12-33-22_gpu-box.local/events", "<time>_<host>/events"),
        ("events.out.tfevents.1717245202.gpu-box.4711.0", "events.out.tfevents.<time>.<host>.<pid>.0"),
        ("ckpt-1717245202.pt", "ckpt-<time>.pt"),
        ("ckpt_1717245202123", "ckpt_<time>"),
        ("started Tue Nov 30 02:41:47 2026", "started <time>"),
        ("Date: Mon, 30 Nov 2026 02:41:47 GMT", "Date: <time>"),
        ("2024/06/01 12:33:22 loss", "<time> loss"),
        ("[30/Nov/2026:02:41:47 +0000]", "[<time>]"),
        ("commit 1a2b3c4", "commit <hex>"),
        ("sha=abc1234", "sha=<hex>"),
        ("v1.2.3-4-gabc1234", "v1.2.3-4-g<hex>"),
        ("0.1.dev12+g1a2b3c4", "0.1.dev12+g<hex>"),
        ("train:3f9a1c2b", "train:<hex>"),
        ("image@1a2b3c4d", "image@<hex>"),
        ("ckpt-3f9a1c2.pt", "ckpt-<hex>.pt"),
        ("/proc/812/fd", "/proc/<pid>/fd"),
        ("pid=812 ok", "pid=<pid> ok"),
        ("worker (pid 31337) died", "worker (pid <pid>) died"),
        ("/run/ray-pid812.sock", "/run/ray-pid<pid>.sock"),
        ("/scratch/tmpab12cd_3/model.pt", "/scratch/<tmp>/model.pt"),
        ("/scratch/tmpabcdefgh/model.pt", "/scratch/<tmp>/model.pt"),
        ("/tmp/x/run-20260601_123322.pt", "<tmp>/run-<time>.pt"),
        ("/home/ann/runs/Nov29_23-42-27_box", "<home>/runs/<time>_<host>"),
        ("s3://bucket/2024-06-01T12:33:22Z/model.pt", "s3://bucket/<time>/model.pt"),
    ],
)  # fmt: skip
def test_what_varies_is_found_inside_of_longer_words(text, expected):
    """Names that are made of an id or a time are the same name in the next run, and normal twice is normal once."""
    assert normalize_text(text)[0] == expected
    assert normalize_text(expected)[0] == expected


@pytest.mark.parametrize(
    "texts",
    [
        """
    v1.2.3 1.10.0 2024.6.1 resnet50 resnet-50 resnet50-d resnet50_imagenet1k_v2_backbone cuda12.4 torch-2.1.0+cu121
    python3.11 llama-3-8b Llama-3.1-405B-Instruct mixtral-8x7b-v0.1 gpt-4-0613 gpt-4o-2024-08-06
    claude-3-5-sonnet-20241022 opt-125m yi-34b-200k stable-diffusion-2-1-base vit_b_16 ViT-B/16 efficientnet_b0
    bert-base-uncased imagenet21k cifar100 wmt14-en-de 20newsgroups mnist-60000 librispeech-960h a100-80gb h100 sm_90
    fp8_e4m3 bf16 int8 e5m2 nf4 sha256 md5 base64 utf-8 lr=0.001 lr-1e-05 1e-05 0.0001 lr0.1-wd5e-4-bs256 1024x1024
    512 4096 batch-1024 vocab-50257 seed1234 seed-1234567890 epoch=09-step=1000.ckpt step_000100 checkpoint-10000
    model-00001-of-00030.safetensors layer.12.weight conv2d_1 block3a_expand 2024-01-01 2024-01-01.csv data-20240601
    part-00000 rank0 gpu0 p3.2xlarge ubuntu-22.04 x86_64 aarch64 k=5 top-5 f1 recall@10 bleu-4 n=1000 1_000_000
    16:9 10:30 3.5e9 params-1300000000 tmpfile tmp template timeout_s decade facade deadbee accede 8bit adam-b1-0.9
    t5-11b deberta-v3-base wav2vec2-base-960h whisper-large-v3 d2f-fusion abc123 a1b2 http/1.1 HTTP/2 :8080/metrics
    """
    ],
)
def test_versions_names_and_sizes_stay(texts):
    """What tells one model, dataset, setting or version from another is compared: another one is a change."""
    changed = [text for text in texts.split() if normalize_text(text) != (text, ())]

    assert changed == []


def test_the_same_short_id_twice_is_told():
    """Ids inside of words keep their identity as others do."""
    _, tokens = normalize_text("run-20260601_123322-abc123 of job-20260601_123359-abc123, commit 1a2b3c4")

    assert tokens == (Token("id", "abc123"), Token("id", "abc123"), Token("hex", "1a2b3c4"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu-box-7", "<host>"),
        ("runs/gpu-box-7_seed1", "runs/<host>_seed1"),
        ("tcp://gpu-box-7.lab.example:29500", "tcp://<host>:29500"),
        ("gpu-box-71", "gpu-box-71"),
        ("mygpu-box-7", "mygpu-box-7"),
        ("worker-31337.log", "worker-<pid>.log"),
        ("loss 0.31337", "loss 0.31337"),
        ("31337.5", "31337.5"),
        ("v31337", "v31337"),
    ],
)
def test_hosts_and_processes_of_the_run_are_left_out(text, expected):
    """The host and the process that the run's resource names are no part of its behaviour."""
    where = Surroundings(("gpu-box-7", "gpu-box-7.lab.example"), (31337, 64))

    assert normalize_text(text, where)[0] == expected
    assert normalize_text("batch-64", where)[0] == "batch-64"


def golden_on(host, pid):
    """Return the golden of a run that writes its host and process everywhere."""
    resource = Resource({"host.name": host, "process.pid": pid})
    said = {"log_dir": f"runs/{host}-{pid}", "peers": [f"{host}:1", "other:1"], "where": {"node": host}}
    span = Span(
        "ab" * 16,
        "cd" * 8,
        f"run on {host}",
        1,
        9,
        attributes={"ml.span.lane": "main", "ml.span.sequence": 0, **said},
        events=(Event(f"joined {host}", 2, {"who": f"{host}/{pid}", "text": f"at {host} " + "x " * 3000}),),
        resource=resource,
    )
    return write_golden(make_golden([CapturedRun([span])]))


def test_a_golden_names_no_host():
    """Names, attributes, lists, mappings and events are the same wherever the run took place; this machine's name too."""
    text = golden_on("gpu-box-7", 31337)

    assert text == golden_on("ann-laptop.local", 4242424)
    assert "gpu-box" not in text
    assert "31337" not in text
    if len(platform.node()) > 8:
        assert platform.node() not in golden_on(platform.node(), 31337)


@pytest.mark.parametrize("host", ["vm", "pc1", "runner", "gpu-box-7"])
def test_a_host_is_left_out_where_a_host_is_named(host):
    """Behind `@`, `//`, `host=` or `on` even a host with a short or common name is none of the program's business."""
    for text in (f"ann@{host}:22", f"tcp://{host}:29500", f"host={host}", f"rank 0 on {host}"):
        assert "<host>" in golden_of_name(text, host)
        assert host not in golden_of_name(text, host)


@pytest.mark.parametrize("host", ["localhost", "runner", "model", "gpu", "10.0.0.1", ""])
def test_a_host_with_a_common_name_changes_no_text(host):
    """A host called as things in programs are is not searched for: on another one the text would differ."""
    assert f'"load {host or "it"}"' in golden_of_name(f"load {host or 'it'}", host)


def golden_of_name(name, host):
    """Return the golden of a run of one span on a host."""
    span = Span("ab" * 16, "cd" * 8, name, 1, 9, resource=Resource({"host.name": host}))
    return write_golden(make_golden([CapturedRun([span])]))


@given(
    st.uuids(),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2040, 1, 1)),
    st.sampled_from(["-", "_", "/", ".", ":"]),
)
def test_any_id_and_time_leaves_the_same_text(uuid, time, separator):
    """Whatever the id and the moment are, the name that a program makes of them is one name."""
    for made in (f"job{separator}{uuid}", f"job{separator}{uuid.hex}"):
        assert normalize_text(made)[0] in {f"job{separator}<uuid>", f"job{separator}<hex>"}
    for form in ("%Y-%m-%d_%H-%M-%S", "%Y%m%d_%H%M%S", "%Y%m%d-%H%M%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%d%H%M%S"):
        assert (
            normalize_text(f"exp{separator}{time.strftime(form)}{separator}x")[0]
            == f"exp{separator}<time>{separator}x"
        )

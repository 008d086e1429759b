"""Secrets out of names, texts, values and command lines; and nothing else."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.codec.redaction import (
    REDACTED,
    looks_random,
    redact_arguments,
    redact_mapping,
    redact_text,
    redact_value,
)
from otel_experiments.codec.secret_names import is_secret_name

SECRET_NAMES = [
    "password",
    "passwd",
    "pwd",
    "pass",
    "db_pwd",
    "db_pass",
    "user.pass",
    "dbPassword",
    "DB_PASSWORD",
    "dbpassword",
    "smtp_pass",
    "userPass",
    "passphrase",
    "secret",
    "client_secret",
    "clientSecret",
    "clientsecret",
    "SECRET_KEY",
    "secrets.db",
    "app.secret",
    "token",
    "hf_token",
    "HF_TOKEN",
    "hfToken",
    "auth_token",
    "authToken",
    "authtoken",
    "access_token",
    "access-token",
    "x-auth-token",
    "github.token",
    "api_key",
    "apiKey",
    "APIKey",
    "apikey",
    "OPENAI_API_KEY",
    "openai_key",
    "wandb_key",
    "x-api-key",
    "access_key",
    "accessKey",
    "AWS_SECRET_ACCESS_KEY",
    "aws.access.key",
    "AWS_ACCESS_KEY_ID",
    "private_key",
    "privateKey",
    "ssh_key",
    "signing_key",
    "encryption_key",
    "credential",
    "credentials",
    "creds",
    "credentials.user",
    "auth",
    "basic_auth",
    "http.auth",
    "authorization",
    "Authorization",
    "proxy-authorization",
    "cookie",
    "session_cookie",
    "Set-Cookie",
    "dsn",
    "sentry_dsn",
    "jwt",
    "bearer",
    "connection_string",
    "connectionString",
    "pass_phrase",
    "password2",
    "token1",
    "otp",
    "access_tokens",
    "api_tokens",
    "api.key",
    "mysql.root.pwd",
]

HARMLESS_NAMES = [
    "max_tokens",
    "num_tokens",
    "tokens",
    "n_tokens",
    "tokenizer",
    "tokenize",
    "tokenizer_name",
    "tokenized",
    "token_count",
    "token_ids",
    "token_type",
    "tokens_per_second",
    "eos_token",
    "pad_token",
    "bos_token",
    "unk_token",
    "mask_token",
    "image_token",
    "max_token",
    "stop_token",
    "time_per_token",
    "special_tokens_map.pad_token",
    "n_passes",
    "passes",
    "passthrough",
    "bypass",
    "compass",
    "forward_pass",
    "backward_pass",
    "pass_count",
    "pass@1",
    "eval.pass@10",
    "second_pass",
    "author",
    "authors",
    "authority",
    "authenticated",
    "auth_type",
    "auth_method",
    "secretary",
    "secretion",
    "key",
    "keys",
    "primary_key",
    "sort_key",
    "rng_key",
    "cache_key",
    "keyboard",
    "monkey",
    "password_length",
    "password_file",
    "api_key_file",
    "secret_name",
    "credentials_path",
    "cookie_policy",
    "accessor",
    "access",
    "private",
    "public",
    "lr",
    "optimizer.lr",
    "model_name",
    "batch_size",
    "description",
    "hidden_size",
    "dataset.path",
    "seed",
    "hash",
    "sha256",
    "run_id",
    "privately_trained",
    "passive",
    "passenger_count",
    "cutoff",
    "assignment",
    "designation",
    "classname",
    "weight_decay",
    "dsnet",
    "../../etc/passwd",
    "/run/token",
    "auth_url",
    "num_api_calls",
    "expression",
    "passed",
    "test_passed",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_says_secret_is_known_in_every_spelling(name):
    """Snake, camel, dotted, hyphenated and run together."""
    assert is_secret_name(name)
    assert redact_value(name, "hunter-two!") == REDACTED


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_looks_like_a_secret_keeps_its_value(name):
    """Counts of tokens, passes of a loop, tokenizers, and names about a secret that hold none."""
    assert not is_secret_name(name)
    for value in ("gpt2-medium", "/data/x", 512, 0.5, True, None, ["a", "b"]):
        assert redact_value(name, value) == value


SECRET = "Zq8Lm2Xw7Rt4Vb9Nc3Ks6Hd1"

SECRET_TEXTS = [
    ("AKIAABCDEFGHIJKLMNOP", "<redacted>"),
    ("key ASIA1234567890ABCDEF used", "key <redacted> used"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "<redacted>"),
    ("github_pat_11ABCDEFG0abcdefghijkl_mnop", "<redacted>"),
    ("glpat-abcdefghijklmnop1234", "<redacted>"),
    ("sk-abcdefghijklmnop1234", "<redacted>"),
    ("sk-proj-abcDEF123456abcDEF123456", "<redacted>"),
    ("sk-ant-api03-abcDEF123456abcDEF123456-xy", "<redacted>"),
    ("hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "<redacted>"),
    ("xoxb-123456789012-abcdefghij", "<redacted>"),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "<redacted>"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-DEF_123", "<redacted>"),
    ("a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b", "a <redacted> b"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "<redacted>"),
    ("no '-----BEGIN PRIVATE KEY-----' in a.pem\nepoch 1", "no '<redacted>' in a.pem\nepoch 1"),
    ("\x1b[1mpassword\x1b[0m: \x1b[31mhunter2\x1b[0m", "\x1b[1mpassword\x1b[0m: \x1b[31m<redacted>\x1b[0m"),
    ("\x1b[31mpassword: s3cr3tpw\x1b[0m", "\x1b[31mpassword: <redacted>\x1b[0m"),
    ("postgres://ann:s3cret@db/x", "postgres://<redacted>@db/x"),
    ("postgres://ann:p#a/s?s@db/x", "postgres://<redacted>@db/x"),
    ("mysql://u:p@ss@db:3306/x", "mysql://<redacted>@db:3306/x"),
    ("redis://:hunter2@cache:6379/0", "redis://<redacted>@cache:6379/0"),
    ("see https://u:p@a/ and https://u:q@b/", "see https://<redacted>@a/ and https://<redacted>@b/"),
    ("https://0123456789abcdef0123@o1.ingest.sentry.io/2", "https://<redacted>@o1.ingest.sentry.io/2"),
    ("https://h/x?api_key=AbC&page=1", "https://h/x?api_key=<redacted>&page=1"),
    ("https://h/x?private_token=abcdef", "https://h/x?private_token=<redacted>"),
    ("https://h/x?token=abcdef#top", "https://h/x?token=<redacted>"),
    ("https://b/o?X-Amz-Signature=0123456789abcdef&a=1", "https://b/o?X-Amz-Signature=<redacted>&a=1"),
    ("https://hooks.slack.com/services/T0/B0/abc", "https://hooks.slack.com/services/<redacted>"),
    ("Authorization: Bearer abc.def-123456", "Authorization: Bearer <redacted>"),
    ("Authorization: Basic dXNlcjpwdw==", "Authorization: Basic <redacted>"),
    ('{"Authorization": "token abcdef"}', '{"Authorization": "token <redacted>"}'),
    ("Cookie: session=abc; theme=dark", "Cookie: <redacted>"),
    ("no access: password=hunter", "no access: password=<redacted>"),
    ("train.py --db-password hunter --lr 0.1", "train.py --db-password <redacted> --lr 0.1"),
    ("train.py --token abcdef --lr 0.1", "train.py --token <redacted> --lr 0.1"),
    ('{"password": "a b", "n": 1}', '{"password": "<redacted>", "n": 1}'),
    ("{'db_pwd': \"it's\", 'n': 1}", "{'db_pwd': \"<redacted>\", 'n': 1}"),
    (r"{\"client_secret\": \"abc\"}", r"{\"client_secret\": \"<redacted>\"}"),
    ("['--api-key', 'abc', '--lr', '1']", "['--api-key', '<redacted>', '--lr', '1']"),
    ("AWS_SECRET_ACCESS_KEY='abc' run", "AWS_SECRET_ACCESS_KEY='<redacted>' run"),
    ("secret: hunter2", "secret: <redacted>"),
    ("host: db\npassword: hunter\nport: 5432", "host: db\npassword: <redacted>\nport: 5432"),
    ("Server=db;User=ann;Password=hunter;", "Server=db;User=ann;Password=<redacted>;"),
    ("url=https://h?access_token=abcdefg1", "url=https://h?access_token=<redacted>"),
]


@pytest.mark.parametrize(("text", "expected"), SECRET_TEXTS)
def test_a_text_keeps_all_but_its_secrets(text, expected):
    """Known forms of tokens and keys, logins in URLs, and what a name in the text gives away."""
    assert redact_text(text) == expected
    assert redact_text(expected) == expected


HARMLESS_TEXTS = [
    "plain text",
    "wrong password: access denied",
    "password=None",
    "password=${DB_PASSWORD}",
    "max_token=512 eos_token=</s> pad_token=endoftext",
    "token=bos",
    "layer.12.weight",
    "https://host:8080/path@v2/x",
    "https://ann@host/x",
    "http://localhost:4317",
    "git@github.com:team/repo.git",
    "s3://bucket/key=1/part-0.parquet",
    "123e4567-e89b-12d3-a456-426614174000",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "meta-llama/Llama-3.1-8B-Instruct",
    "resnet50_imagenet1k_v2_backbone",
    "sk-learn-random-forest",
    "hf_transformers",
    "ghost_protocol",
    "/home/ann/experiments/2026-01-01/model_final_v2.pt",
    "train.py --max-tokens 512 --tokenizer gpt2 --pass-through --n-passes 3",
    "the bearer of bad news",
    "Basic understanding of cookies: none",
    "if token == other: pass",
    "author: Ann",
    "2026-11-30T02:41:45.123456Z",
]


@pytest.mark.parametrize("text", HARMLESS_TEXTS)
def test_hashes_paths_models_and_prose_stay(text):
    """No false alarm on what experiments are full of."""
    assert redact_text(text) == text
    assert redact_value("note", text) == text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--api-key", "X", "--lr", "1"], ["--api-key", REDACTED, "--lr", "1"]),
        (["--password=X", "--lr=1"], [f"--password={REDACTED}", "--lr=1"]),
        (["-token", "abc"], ["-token", REDACTED]),
        (
            ["db.password=X", "+hf.token=Y", "lr=1"],
            [f"db.password={REDACTED}", f"+hf.token={REDACTED}", "lr=1"],
        ),
        (["--passwords", "a", "b", "--lr", "1"], ["--passwords", REDACTED, REDACTED, "--lr", "1"]),
        (["-H", "Authorization: Bearer abc"], ["-H", f"Authorization: Bearer {REDACTED}"]),
        (["-u", "ann:pw", "http://h"], ["-u", f"ann:{REDACTED}", "http://h"]),
        (["--db", "postgres://a:b@h/x"], ["--db", f"postgres://{REDACTED}@h/x"]),
        (["--env", "HF_TOKEN=abc"], ["--env", f"HF_TOKEN={REDACTED}"]),
        (["--max-tokens", "512", "--tokenizer=gpt2"], ["--max-tokens", "512", "--tokenizer=gpt2"]),
        (["--password", "--verbose"], ["--password", "--verbose"]),
        (["--pass", "2", "--token="], ["--pass", "2", "--token="]),
        ([], []),
    ],
)
def test_command_lines_keep_all_but_their_secrets(arguments, expected):
    """The value after an option, behind its `=`, in an override, a header, a URL."""
    assert redact_arguments(arguments) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("password", 123456, REDACTED),
        ("password", True, True),
        ("password", None, None),
        ("password", "", ""),
        ("password", b"abc", REDACTED),
        ("pwd", "${oc.env:PWD}", "${oc.env:PWD}"),
        ("token", 3, 3),
        ("token", "[PAD]", "[PAD]"),
        ("token", "<|endoftext|>", "<|endoftext|>"),
        ("db", {"user": "ann", "pwd": "x", "port": 1}, {"user": "ann", "pwd": REDACTED, "port": 1}),
        ("envs", [{"name": "DB_PASSWORD", "value": "x"}], [{"name": "DB_PASSWORD", "value": REDACTED}]),
        ("argv", ["t.py", "--api-key", "x"], ["t.py", "--api-key", REDACTED]),
        ("passwords", ["a", "b"], [REDACTED, REDACTED]),
        ("cache.key", SECRET, REDACTED),
        ("name", SECRET, SECRET),
        ("cache.key", "resnet50-imagenet-lr0.01-bs128", "resnet50-imagenet-lr0.01-bs128"),
        ("cache.key", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("session", "123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ],
)
def test_values_of_any_type_are_seen_by_name_and_form(name, value, expected):
    """Numbers under names that leave no doubt, texts, lists, mappings; a random look counts only in a suspicious place."""
    told = []

    assert redact_value(name, value, seen=told.append) == expected
    assert bool(told) == (expected != value)


def test_what_holds_no_secret_is_the_same_object():
    """Nothing is copied for nothing."""
    value = {"a": [1, {"b": "text"}], "c": "x"}

    assert redact_value("config", value) is value
    assert redact_mapping({"config": value})["config"] is value


def test_a_value_that_holds_itself_ends():
    """What holds itself, twice over, is looked through once."""
    value = {"password": "x"}
    value |= {"a": value, "b": [value, {"again": value}]}

    assert redact_value("", value)["password"] == REDACTED


def test_random_words_are_told_from_written_ones():
    """Both cases, scattered digits and many different characters."""
    assert looks_random(SECRET)
    assert not looks_random("efficientnet_b0_ra_in1k_224x224")


HOSTILE = [
    "a", "sk-", "eyJ", "eyJa.", "a=", "a.b-", "://a:", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----' ", "\x1b[", "\x1b[0m", "\x1b]8;", "password=", '"token": "', "Bearer ",
    "--token ", "\\", "xoxb-", "https://u:", "password: ", "A1b2C3d4", "Authorization: Basic ", "hooks.slack.com/services/",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_time_grows_with_the_length_alone(piece):
    """A text made to be slow to read is read as fast as any: a quarter of a megabyte in far less than the watchdog."""
    text = piece * (250_000 // len(piece))
    begin = time.process_time()

    redact_text(text)
    redact_value("cache.key", text)

    assert time.process_time() - begin < 30.0, "a watchdog: quadratic time would take minutes"


PIECES = [
    *HOSTILE,
    *(text for text, _ in SECRET_TEXTS),
    *HARMLESS_TEXTS,
    " ",
    "\n",
    ", ",
    "/",
    "@",
    "'",
    "{",
    "}",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=8).map("".join))
def test_what_was_redacted_is_left_alone_the_next_time(text):
    """No text raises, and a stored text that is shown again does not change."""
    once = redact_text(text)

    assert redact_text(once) == once


@given(
    st.lists(st.sampled_from(HARMLESS_TEXTS), max_size=3),
    st.sampled_from([text for text, expected in SECRET_TEXTS if expected == REDACTED]),
)
def test_a_known_token_is_found_wherever_it_stands(around, secret):
    """Before and behind any other text, a token that its form gives away goes."""
    for text in (" ".join([*around, secret]), "\n".join([secret, *around]), f'{{"note": "{secret}"}}'):
        assert secret not in redact_text(text)


@pytest.mark.parametrize("prefix", ["", "env.", "jobs.train.env."])
@pytest.mark.parametrize("called", ["name", "key"])
def test_a_flat_pair_of_a_secrets_name_and_its_value_is_redacted_as_a_nested_one_is(
    prefix: str, called: str
) -> None:
    """`{"name": "DB_PASSWORD", "value": "hunter2"}` gives nothing away, at whatever depth, flattened or not."""
    seen: list[str] = []
    flat = {f"{prefix}{called}": "DB_PASSWORD", f"{prefix}value": "hunter2x", f"{prefix}values": "hunter2x"}

    redacted = redact_mapping(flat, seen=seen.append)

    assert redacted == {**flat, f"{prefix}value": REDACTED}
    assert seen == [f"{prefix}DB_PASSWORD"]


def test_a_flat_pair_whose_name_is_no_secrets_keeps_its_value() -> None:
    """A value beside a harmless name, a number or a name of another level is kept."""
    flat = {
        "env.name": "HOST",
        "env.value": "db1",
        "value": "hunter2x",
        "password.name": 3,
        "other.value": "v",
    }

    assert redact_mapping(flat) == flat

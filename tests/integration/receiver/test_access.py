"""Who may send to a receiver: tokens, TLS, host names, pages of browsers."""

import http.client
import json
import shutil
import ssl
import subprocess

import grpc
import pytest

from otel_experiments.errors import ConfigurationError
from otel_experiments.receiver import Receiver

TOKEN = "correct-horse-battery"


@pytest.fixture
def guarded(make_receiver, client_of):
    """Return a client of a receiver that wants a token."""
    return client_of(make_receiver(token=TOKEN))


@pytest.mark.parametrize("given", [None, "", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"])
def test_requests_without_the_token_are_refused(guarded, given):
    """Over both protocols a request without the token, or with another, is unauthenticated, and nothing of it is read."""
    headers = {} if given is None else {"Authorization": given}
    metadata = () if given is None else (("authorization", given),)

    answer = guarded.post("/v1/traces", guarded.body_of("traces", "protobuf"), headers)
    error = guarded.refused("traces", guarded.body_of("traces", "protobuf"), metadata)

    assert (answer.status, answer.headers["WWW-Authenticate"], answer.error.code) == (401, "Bearer", 16)
    assert "Authorization: Bearer TOKEN" in answer.error.message
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert guarded.receiver.counts.request_count == 0


def test_requests_with_the_token_are_taken(guarded):
    """Over both protocols the token lets a request in, whatever the case of the word Bearer."""
    body = guarded.body_of("traces", "protobuf")

    assert guarded.post("/v1/traces", body, {"Authorization": f"bearer {TOKEN}"}).status == 200
    assert guarded.call("traces", body, (("authorization", f"Bearer {TOKEN}"),)) == b""


@pytest.mark.parametrize("setting", ["grpc", "http"])
def test_a_receiver_that_others_can_reach_demands_a_token(tmp_path, setting):
    """An address beyond loopback cannot be had without a token; the error says what to do, and nothing is made."""
    with pytest.raises(ConfigurationError) as caught:
        Receiver(tmp_path / "a.db", **({"grpc": None, "http": None} | {setting: "0.0.0.0:0"}))

    assert str(caught.value) == (
        f"The receiver does not listen on 0.0.0.0:0 ({setting}) without a token: other machines can reach it.\n"
        "  Pass a token (--token-file FILE), or listen on 127.0.0.1."
    )
    assert list(tmp_path.iterdir()) == []


def test_a_receiver_that_others_can_reach_takes_any_host_name(make_receiver, client_of):
    """With a token and an open address, requests may come under any name; without the token none may."""
    client = client_of(make_receiver(grpc=None, http="0.0.0.0:0", token=TOKEN))
    host = {"Host": "gpu-7.example:4318"}
    body = client.body_of("traces", "protobuf")

    assert client.post("/v1/traces", body, host).status == 401
    assert client.post("/v1/traces", body, host | {"Authorization": f"Bearer {TOKEN}"}).status == 200


@pytest.mark.parametrize("host", ["localhost:4318", "LOCALHOST", "127.0.0.1", "[::1]:9", "localhost."])
def test_names_of_loopback_are_taken(client, host):
    """A request to a name of this machine's loopback is taken, with any port."""
    assert client.post("/v1/traces", client.body_of("traces", "protobuf"), {"Host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:4318", "localhost.evil.example"])
def test_other_names_are_refused(client, host):
    """A page that had its own name point to loopback cannot send there."""
    answer = client.post("/v1/traces", client.body_of("traces", "protobuf"), {"Host": host})

    assert (answer.status, answer.error.code) == (403, 7)
    assert "is no name of this receiver" in answer.error.message


def test_a_name_may_be_allowed(make_receiver, client_of):
    """A name that this receiver is given is one of its names."""
    client = client_of(make_receiver(allowed_hosts=["host.docker.internal"]))

    answer = client.post("/v1/logs", b"{}", {"Host": "host.docker.internal:4318"}, encoding="json")

    assert answer.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_pages_are_refused_unless_allowed(client, origin):
    """A request from a page of a browser is refused, and the browser is not told that it may ask."""
    answer = client.post("/v1/traces", b"{}", {"Origin": origin}, encoding="json")
    asked = client.post("/v1/traces", None, {"Origin": origin}, method="OPTIONS")

    assert (answer.status, asked.status) == (403, 405)
    assert json.loads(answer.body)["code"] == 7
    assert not [name for name in {**answer.headers, **asked.headers} if name.startswith("Access-Control")]


def test_pages_of_an_allowed_origin_may_send(make_receiver, client_of):
    """An allowed page is told so when its browser asks first, and with the answer; another is not."""
    client = client_of(make_receiver(allowed_origins=["https://app.example"]))
    mine = {"Origin": "https://app.example"}

    asked = client.post(
        "/v1/traces", None, mine | {"Access-Control-Request-Headers": "content-type,x-a"}, method="OPTIONS"
    )
    sent = client.post("/v1/traces", b"{}", mine, encoding="json")
    other = client.post("/v1/traces", b"{}", {"Origin": "https://app.example.evil"}, encoding="json")

    assert (asked.status, sent.status, other.status) == (204, 200, 403)
    assert asked.headers["Access-Control-Allow-Methods"] == "POST"
    assert asked.headers["Access-Control-Allow-Headers"] == "content-type,x-a"
    assert (
        asked.headers["Access-Control-Allow-Origin"]
        == sent.headers["Access-Control-Allow-Origin"]
        == mine["Origin"]
    )
    assert sent.headers["Vary"] == "Origin"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return the paths of a self-signed certificate for localhost and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1],
        ],
        check=True, capture_output=True, timeout=100,
    )  # fmt: skip
    return paths


def test_both_protocols_speak_tls(make_receiver, client_of, certificate):
    """With a certificate both ports speak TLS, and answer nothing to a client that does not."""
    receiver = make_receiver(tls_cert=certificate[0], tls_key=certificate[1])
    client = client_of(receiver)
    body = client.body_of("traces", "protobuf")
    context = ssl.create_default_context(cafile=certificate[0])
    secure = http.client.HTTPSConnection("localhost", receiver.http_port, timeout=60, context=context)
    statuses = []
    for _ in range(2):
        secure.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
        answer = secure.getresponse()
        answer.read()
        statuses.append(answer.status)
    secure.close()
    credentials = grpc.ssl_channel_credentials(certificate[0].read_bytes())
    with grpc.secure_channel(f"localhost:{receiver.grpc_port}", credentials) as channel:
        method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        assert channel.unary_unary(method)(body, timeout=60) == b""

    assert statuses == [200, 200]
    assert receiver.http_endpoint == f"https://127.0.0.1:{receiver.http_port}"
    with pytest.raises((http.client.BadStatusLine, ConnectionError)):
        client.post("/v1/traces", body)
    assert client.refused("traces", body).code() is grpc.StatusCode.UNAVAILABLE


def test_a_receiver_with_tls_stops_while_clients_are_connected(make_receiver, certificate):
    """A connection that waits for its next request does not hold up the end."""
    receiver = make_receiver(tls_cert=certificate[0], tls_key=certificate[1])
    context = ssl.create_default_context(cafile=certificate[0])
    secure = http.client.HTTPSConnection("localhost", receiver.http_port, timeout=60, context=context)
    secure.request("POST", "/v1/logs", b"{}", {"Content-Type": "application/json"})
    assert secure.getresponse().read() == b"{}"

    assert receiver.close(timeout_s=60)
    secure.close()


def test_a_certificate_without_its_key_is_refused(tmp_path, certificate):
    """Half of what TLS needs, and files that do not fit, are configuration errors that name them."""
    with pytest.raises(ConfigurationError, match="only tls_cert is given"):
        Receiver(tmp_path / "a.db", tls_cert=certificate[0])
    with pytest.raises(ConfigurationError, match="only tls_key is given"):
        Receiver(tmp_path / "a.db", tls_key=certificate[1])
    with pytest.raises(ConfigurationError, match="Pass files in PEM that belong together"):
        Receiver(tmp_path / "a.db", tls_cert=certificate[1], tls_key=certificate[0])
    assert list(tmp_path.iterdir()) == []

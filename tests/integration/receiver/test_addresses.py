"""Where a receiver listens."""

import http.client
import socket

import grpc
import pytest

from otel_experiments.errors import ConfigurationError
from otel_experiments.receiver import Receiver
from otel_experiments.receiver.address import parse_address


def has_ipv6():
    """Whether this machine has IPv6 on loopback."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on loopback")
def test_loopback_of_ipv6_is_loopback(make_receiver, client_of):
    """Both protocols are served on `[::1]`, without a token."""
    receiver = make_receiver(grpc="[::1]:0", http="[::1]:0")
    connection = http.client.HTTPConnection("::1", receiver.http_port, timeout=60)
    connection.request("POST", "/v1/logs", b"{}", {"Content-Type": "application/json"})
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (200, b"{}")
    connection.close()
    assert receiver.http_endpoint == f"http://[::1]:{receiver.http_port}"
    with grpc.insecure_channel(f"[::1]:{receiver.grpc_port}") as channel:
        method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
        assert channel.unary_unary(method)(b"", timeout=60) == b""


@pytest.mark.parametrize(
    "text", ["4317", "localhost", "127.0.0.1:", "127.0.0.1:70000", "http://a:1", "::1:4317", ""]
)
@pytest.mark.parametrize("setting", ["grpc", "http"])
def test_what_is_no_address_is_refused(tmp_path, setting, text):
    """An address that is not HOST:PORT is a configuration error with examples, and nothing is made."""
    with pytest.raises(ConfigurationError) as caught:
        Receiver(tmp_path / "a.db", **({"grpc": None, "http": None} | {setting: text}))

    assert str(caught.value) == (
        f"The receiver cannot listen on {text!r} ({setting}): it is not HOST:PORT.\n"
        "  Examples: 127.0.0.1:4317, [::1]:4317, 0.0.0.0:4317; port 0 takes a free one."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "Localhost.", "127.1", "127.0.0.2", "[::1]"])
def test_every_spelling_of_loopback_is_loopback(host):
    """No token is demanded where only this machine can connect, however the address is written."""
    assert parse_address(f"{host}:0", setting="http").is_loopback


@pytest.mark.parametrize("host", ["0", "10.1", "128.1", "localhost.example", "127.1.example", "[::]"])
def test_other_addresses_are_not_taken_for_loopback(host):
    """What other machines may reach is not let in without a token."""
    assert not parse_address(f"{host}:0", setting="http").is_loopback


def test_a_receiver_has_to_listen_somewhere(tmp_path):
    """Without any address there is nothing to do."""
    with pytest.raises(ConfigurationError, match="nowhere to listen"):
        Receiver(tmp_path / "a.db", grpc=None, http=None)


@pytest.mark.parametrize("token", ["", "two words", "naïve", "line\nbreak"])
def test_a_token_that_no_header_can_have_is_refused(tmp_path, token):
    """An empty token, and one with characters that a client could not send, is a configuration error."""
    with pytest.raises(ConfigurationError, match="The token of a receiver cannot be used"):
        Receiver(tmp_path / "a.db", grpc=None, http="127.0.0.1:0", token=token)


@pytest.mark.parametrize("store", ["memory://", "none"])
def test_a_store_of_this_process_alone_is_refused(store):
    """What a receiver keeps is read by other processes, so its store outlives it."""
    with pytest.raises(ConfigurationError, match="would outlive this process"):
        Receiver(store, grpc=None, http="127.0.0.1:0")


def test_a_store_on_a_network_filesystem_is_refused(tmp_path, monkeypatch):
    """There journals are the truth and are never drained: the receiver says so instead of filling the disk."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_NETWORK_FILESYSTEM", "true")

    with pytest.raises(ConfigurationError, match="it is on a network filesystem"):
        Receiver(tmp_path / "a.db", grpc=None, http="127.0.0.1:0")


def test_closing_twice_is_closing_once(make_receiver):
    """A receiver may be closed again, and its ports are free afterwards."""
    receiver = make_receiver()
    port = receiver.http_port

    assert receiver.close()
    assert receiver.close()

    make_receiver(http=f"127.0.0.1:{port}").close()

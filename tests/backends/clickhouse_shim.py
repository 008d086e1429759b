"""ClickHouse's HTTP door over chDB, the real engine in a process: for tests of what the Collector writes.

Usage: `python clickhouse_shim.py FOLDER [PORT]`; it prints its port and serves until it is stopped. A process of its
own, since an engine hangs in a forked child and one process may open a folder.

It knows as much of the protocol as the Collector's exporter (clickhouse-go over HTTP, `compress: none`) uses: the
greeting, statements, and inserts of one Native block. A reader asks with `default_format=JSONCompact`. It checks no
user, keeps no session, and is no server for anybody's data.

`POST /refuse?statement=TEXT&times=N&when=before|after` makes the next N requests whose statement has the text fail,
before or after they were carried out.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

GREETING = "SELECT displayName(), version(), revision(), timezone()"
INSERT_FORMAT = " FORMAT Native"


class Engine:
    """The engine and the refusals that a test asked for, behind one lock."""

    def __init__(self, folder):
        from chdb import session

        self._session = session.Session(folder)
        self._lock = threading.Lock()
        self._refusals = []

    def refuse(self, text, times, when):
        """Let the next requests with this text fail."""
        with self._lock:
            self._refusals.append({"text": text, "times": times, "when": when})

    def run(self, statement, body, form):
        """Carry out a statement and return the answer's bytes."""
        with self._lock:
            refusal = next((one for one in self._refusals if one["times"] and one["text"] in statement), None)
            if refusal is not None:
                refusal["times"] -= 1
                if refusal["when"] == "before":
                    raise RuntimeError("a test asked to refuse this")
            answer = self._answer(statement, body, form)
            if refusal is not None:
                raise RuntimeError("a test asked to refuse this after it was carried out")
            return answer

    def _answer(self, statement, body, form):
        if statement.startswith(GREETING):
            return self._greeting()
        if statement.endswith(INSERT_FORMAT):
            with self._session.send_insert(statement.removesuffix(INSERT_FORMAT), "Native") as insert:
                insert.append(body)
                insert.finish()
            return b""
        return self._session.query(statement, form).bytes()

    def _greeting(self):
        version = self._session.query("select version()", "TSV").data().strip()
        columns = [
            ("displayName()", "String", text_bytes("chdb")),
            ("version()", "String", text_bytes(version)),
            # Revision 0 keeps the Native format in the form in which the engine writes it.
            ("revision()", "UInt32", (0).to_bytes(4, "little")),
            ("timezone()", "String", text_bytes("UTC")),
        ]
        # Block information (no overflow, bucket -1), then 4 columns and 1 row.
        block = b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01"
        return block + b"".join(
            text_bytes(name) + text_bytes(kind) + b"\x00" + data for name, kind, data in columns
        )


def text_bytes(text):
    """Return a short text as Native has it: its length in a byte, then UTF-8."""
    encoded = text.encode()
    assert len(encoded) < 128
    return bytes([len(encoded)]) + encoded


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    engine = None

    def do_POST(self):
        """Carry out what the client asks for."""
        body = self._body()  # all of it, also when the answer is an error: the connection goes on
        address = urlsplit(self.path)
        asked = {key: values[-1] for key, values in parse_qs(address.query).items()}
        if address.path == "/refuse":
            self.engine.refuse(asked["statement"], int(asked["times"]), asked["when"])
            self._reply(200, b"")
            return
        statement = asked["query"] if "query" in asked else body.decode()
        try:
            answer = self.engine.run(statement.strip(), body, asked.get("default_format", "Native"))
        except Exception as error:
            self._reply(500, str(error).encode())
        else:
            self._reply(200, answer)

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing: a test shows what it asserts."""


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread; the engine takes one statement at a time."""

    daemon_threads = True


def main():
    """Serve until the process is stopped."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder, *rest = sys.argv[1:]
    Handler.engine = Engine(folder)
    server = Server(("127.0.0.1", int(rest[0]) if rest else 0), Handler)
    print(json.dumps({"port": server.server_port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""The Model Context Protocol: agents search, read and compare what is recorded, with tools of their own.

`server.py` speaks the protocol, by the SDK of the extra `mcp`; `worker.py` is the process in which a tool works, which is ended where it
takes too long; `tools/` says what there is to call, and knows nothing of the protocol.
"""

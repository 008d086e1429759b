"""Why a request is not taken, in terms of both protocols.

A client sends again only what it is told to send again, so each reason says whether that may help. Nothing that a
retry can heal is answered with a status that ends the retries, and the other way round.

Source: OTLP specification 1.11, "Failures" and "OTLP/HTTP Throttling"; google/rpc/code.proto for the numbers.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

RETRY_AFTER_S: Final = 1
"""How long a client is asked to wait: a busy receiver has stored megabytes by then."""


class Answer(NamedTuple):
    """What a reason is in HTTP and in gRPC, and whether the client is asked to send the request again."""

    http_status: int
    grpc_code: int
    is_retryable: bool = False


class Reason(Enum):
    """Why a request is not taken; `brief` is what the counts call it."""

    INVALID = "malformed"
    UNAUTHENTICATED = "without the token"
    FORBIDDEN = "from a foreign page or host name"
    NOT_FOUND = "to an unknown path"
    WRONG_METHOD = "with a method other than POST"
    WRONG_TYPE = "of an unknown content type or encoding"
    TOO_LARGE = "too large"
    BUSY = "while too much was in flight or waited to be stored"
    UNAVAILABLE = "while the disk took nothing"
    TOO_SLOW = "that came too slowly"
    STOPPING = "while the receiver was stopping"

    @property
    def brief(self) -> str:
        """Return the words for the counts: `2 requests that were malformed`."""
        return self.value


ANSWERS: Final = {
    Reason.INVALID: Answer(400, 3),
    Reason.UNAUTHENTICATED: Answer(401, 16),
    Reason.FORBIDDEN: Answer(403, 7),
    Reason.NOT_FOUND: Answer(404, 12),
    Reason.WRONG_METHOD: Answer(405, 12),
    Reason.WRONG_TYPE: Answer(415, 3),
    Reason.TOO_LARGE: Answer(413, 8),
    Reason.TOO_SLOW: Answer(408, 4),
    Reason.BUSY: Answer(429, 14, is_retryable=True),
    Reason.UNAVAILABLE: Answer(503, 14, is_retryable=True),
    Reason.STOPPING: Answer(503, 14, is_retryable=True),
}


class Refusal(Exception):  # noqa: N818 - an answer to a client, not an error of this program
    """A request that is not taken; caught by the transport, which answers with it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def answer(self) -> Answer:
        """What to answer."""
        return ANSWERS[self.reason]

    @property
    def retry_after_s(self) -> int | None:
        """After how many seconds the client may send the request again; None when it is not to."""
        return RETRY_AFTER_S if self.answer.is_retryable else None

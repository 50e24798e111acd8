"""JSON log lines on standard output, one for each thing that happens."""

import sys
from typing import Any

import msgspec
import structlog

_encode = msgspec.json.Encoder(enc_hook=str).encode


def configure() -> None:
    """Log as JSON lines, from now on, for the whole process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )


def _render(_logger: object, _method: str, event: Any) -> bytes:
    return _encode(event)


def logger() -> Any:
    """The process's logger: `logger().info("delivery", queue_id=…)`."""
    return structlog.get_logger()

"""gunicorn's own log, as lines like all others: `--logger-class marketplace.server_log.ServerLog`.

The application tells of every request by itself, so gunicorn's access log stays off.
"""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger

from kernel import logs


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """Sends what gunicorn says through the process's one handler."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's handlers away; the root's is there before and after the fork."""
        super().setup(cfg)
        logs.begin()
        self.error_log.handlers[:] = []
        self.error_log.propagate = True

"""`python -m orders.payments.sandbox`: start the payment sandbox."""

import logging
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path

import click

from orders.payments.sandbox.config import DEFAULT_API_KEY, Config
from orders.payments.sandbox.service import CannotStart, Service

PARENT_ASKED_EVERY_S = 1.0


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), required=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--state-dir", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--webhook-url", default="", help="Where events are sent; empty: nowhere.")
@click.option("--webhook-secret", default="", envvar="STRIPE_WEBHOOK_SECRET")
@click.option("--api-key", default=DEFAULT_API_KEY, envvar="STRIPE_SECRET_KEY", show_default=True)
@click.option("--refund-delay", type=float, default=2.0, show_default=True, help="Seconds.")
@click.option("--with-parent", is_flag=True, help="End when the process that started it has.")
@click.option("--quiet", is_flag=True, help="Report trouble only.")
def main(
    port: int,
    host: str,
    state_dir: Path,
    webhook_url: str,
    webhook_secret: str,
    api_key: str,
    refund_delay: float,
    with_parent: bool,
    quiet: bool,
) -> None:
    """Serve Stripe's HTTP shapes until told to stop."""
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO, format="%(levelname)s %(message)s"
    )
    if webhook_url and not webhook_secret:
        raise click.UsageError("--webhook-url needs --webhook-secret")
    parent = os.getppid()
    config = Config(state_dir, webhook_url, webhook_secret, api_key, refund_delay)
    try:
        service = Service(config, host, port)
    except (CannotStart, sqlite3.Error) as error:
        click.echo(f"payment sandbox: {error}", err=True)
        sys.exit(1)
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    service.start()
    if not quiet:
        click.echo(f"payment sandbox: {service.url}")
    while not told.wait(PARENT_ASKED_EVERY_S):
        if with_parent and os.getppid() != parent:
            break
    service.stop()


if __name__ == "__main__":
    main()

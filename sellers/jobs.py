"""Work that a clerk need not wait for. Every job may run again without harm."""

from __future__ import annotations

from kernel.db import transaction
from kernel.jobs import defer, jobs, task
from sellers.actions import finding
from sellers.imports import actions
from sellers.model import OfferImport

EVERY_MINUTE = "* * * * * 25"


@task(name="sellers.read_spreadsheet")
def read_spreadsheet(import_id: int) -> None:
    """Read an uploaded spreadsheet into rows and faults."""
    actions.read_spreadsheet(import_id)


@task(name="sellers.load_spreadsheet")
def load_spreadsheet(import_id: int) -> None:
    """Put the rows of a spreadsheet on sale, all or none."""
    actions.load_spreadsheet(import_id)


@jobs.periodic(cron=EVERY_MINUTE)
@task(name="sellers.renew_terms", queueing_lock="sellers.renew_terms")
def renew_terms(timestamp: int) -> None:
    """Let all products be found in the present way, batch by batch."""
    while finding.renew_terms() == finding.RENEWED_AT_ONCE:
        continue


def upload(seller_id: int, account_id: int, data: bytes, name: str) -> OfferImport:
    """Take a spreadsheet and have it read. Raises Invalid as `take_spreadsheet`."""
    with transaction():
        taken = actions.take_spreadsheet(seller_id, account_id, data, name)
        defer(read_spreadsheet, import_id=taken.id)
    return taken


def load(import_id: int) -> OfferImport:
    """Have a spreadsheet's rows put on sale. Raises Conflict unless it waits for that."""
    with transaction():
        taken = actions.confirm_spreadsheet(import_id)
        defer(load_spreadsheet, import_id=import_id)
    return taken

"""The packing list as PDF: drawn by the worker, from the same table as the page that is printed."""

from __future__ import annotations

import re

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import func, select

from kernel import clock
from kernel.db import db
from kernel.documents import Drawing, Of
from kernel.errors import Refusal
from kernel.language import local, reads_english
from orders.model import Consignment, ConsignmentLine
from orders.queries import handover as queries
from orders.queries.handover import ConsignmentView

KIND = "packing_list"
MOST_LINES = 6000
"""About two minutes and 700 MB of the worker."""
LINES_A_PAGE = 28

CSS = """
@page { size: A4; margin: 16mm 14mm; @bottom-right { content: counter(page) "/" counter(pages); } }
body { font: 10pt "Noto Sans CJK SC", sans-serif; color: #000; }
h1 { font-size: 16pt; margin: 0 0 4mm; }
table { width: 100%; border-collapse: collapse; margin-bottom: 6mm; }
th, td { border: 0.3mm solid #000; padding: 1.6mm 2mm; text-align: left; }
.r { text-align: right; } tr { break-inside: avoid; } .sign { min-width: 28mm; }
svg { width: 60mm; height: 24mm; }
"""


def of(consignment: Consignment) -> Of:
    """Return which document the packing list is, in the reader's language."""
    return Of(KIND, consignment.public_id, "en" if reads_english() else "zh")


def file_name(view: ConsignmentView) -> str:
    """Return the name under which the PDF is saved: what it is, for whom, packed when."""
    place = local(view.unit) if view.unit else view.order.number if view.order else ""
    packed = clock.local(view.consignment.packed_at).date().isoformat()
    plain = re.sub(r"\W+", "-", f"{_('装箱单')} {place}").strip("-")
    return f"{plain}-{packed}.pdf"


def draw(public_id: str) -> Drawing:
    """Return the packing list, for whoever was let in to ask. Raises Refusal (list_too_long)."""
    lines = db.session.scalar(
        select(func.count())
        .select_from(ConsignmentLine)
        .join(Consignment)
        .where(Consignment.public_id == public_id)
    )
    if (lines or 0) > MOST_LINES:
        raise Refusal(code="list_too_long")
    view = queries.packed(public_id)
    # Without what `render_template` adds for a page: there is no request here.
    template = current_app.jinja_env.get_template("orders/packing_pdf.html")
    page = template.render(view=view, recipients=queries.recipients(view))
    return Drawing(page, CSS, 1 + (lines or 0) // LINES_A_PAGE)

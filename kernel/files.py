"""Files that people upload, named by their content and kept under VAR_DIR/uploads."""

from __future__ import annotations

import hashlib
import io
import os
import secrets
import zipfile
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from flask import current_app
from flask_babel import lazy_gettext as _l
from PIL import Image, ImageOps
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, Keyed, on_rollback, transaction
from kernel.errors import Invalid, Text

MAX_BYTES = 10 * 1024 * 1024
# A JPEG is read at a fraction of its size; the others are unpacked whole, 4 bytes a pixel.
MAX_PIXELS = {"JPEG": 60_000_000, "PNG": 16_000_000, "WEBP": 16_000_000}
MAX_SIDE_PX = 1600
PDF_TAIL_BYTES = 1024
ENDINGS = {"image/webp": ".webp", "application/pdf": ".pdf"}

# Pillow's own guard, for what is opened elsewhere; `_drawn` looks at the size before that.
Image.MAX_IMAGE_PIXELS = max(MAX_PIXELS.values())


class Kind(NamedTuple):
    """What may be uploaded in one place: whether papers (PDF) too, and which words ask for it."""

    pdf: bool
    wanted: Text


PAPER = Kind(True, _l("请上传 JPG、PNG、WebP 图片或 PDF。"))
PHOTO = Kind(False, _l("产品图要用照片：JPG、PNG 或 WebP。"))


class StoredFile(Keyed, Base):
    """One upload. `public` ones (product photos) anybody may see, others only their owners."""

    __tablename__ = "stored_file"

    sha256: Mapped[str] = mapped_column(String(64), index=True)
    media_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    original_name: Mapped[str] = mapped_column(String(200))
    public: Mapped[bool] = mapped_column(default=False)
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    uploaded_by: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    uploaded_at: Mapped[datetime] = mapped_column(default=clock.now)


def path_of(stored: StoredFile) -> Path:
    """Return where the content of `stored` lies."""
    root = Path(current_app.config["UPLOAD_DIR"])
    return root / stored.sha256[:2] / stored.sha256


def _check_pdf(data: bytes) -> None:
    """Raise ValueError for a document that is cut off, or that is an archive at the same time."""
    tail = data[-PDF_TAIL_BYTES:]
    if b"startxref" not in tail or b"%%EOF" not in tail or zipfile.is_zipfile(io.BytesIO(data)):
        raise ValueError("not a whole document")


def _drawn(data: bytes) -> bytes:
    """Return a picture drawn anew: nothing of the file but its pixels remains.

    Metadata, such as where a photograph was taken, and whatever else hides in the file, is
    gone. Raises Invalid for too many pixels; anything at all for what cannot be read.
    """
    with Image.open(io.BytesIO(data), formats=tuple(MAX_PIXELS)) as picture:
        # Phones put a second picture, such as a map of depths, behind a JPEG: Pillow calls it MPO.
        kind = "JPEG" if picture.format == "MPO" else str(picture.format)
        if picture.width * picture.height > MAX_PIXELS[kind]:
            raise Image.DecompressionBombError(picture.size)
        picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    paper = Image.new("RGB", upright.size, "white")
    paper.paste(upright, mask=upright)
    out = io.BytesIO()
    paper.save(out, "WEBP", quality=82)
    return out.getvalue()


def _clean(data: bytes, kind: Kind, field: str) -> tuple[bytes, str]:
    """Return content that is safe to serve and its media type: PDF as it is, pictures redrawn."""
    try:
        if kind.pdf and data.startswith(b"%PDF-"):
            _check_pdf(data)
            return data, "application/pdf"
        return _drawn(data), "image/webp"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise Invalid(
            _l("这张图片太大了。缩小到 4000×4000 以内再上传。"),
            code="picture_too_large",
            fields={field: _l("图片缩小到 4000×4000 以内。")},
        ) from problem
    except MemoryError:
        raise
    except Exception as problem:
        # The decoders have no error of their own: damage shows as whatever it runs into.
        raise Invalid(
            _l("这个文件读不了。%(wanted)s", wanted=kind.wanted),
            code="file_not_readable",
            fields={field: kind.wanted},
        ) from problem


def _name(name: str, media_type: str) -> str:
    """Return the name under which the content is saved again: its own ending, nothing hidden."""
    stem = "".join(c for c in Path(name).stem if c.isprintable()).strip(" .")
    return (stem[:180] or "file") + ENDINGS[media_type]


def _write(target: Path, content: bytes) -> None:
    """Write the content; a transaction that is given up takes it away again.

    Two uploads can have the same content. Whoever comes second puts its own copy in place, so
    that the first, when it is given up, finds that the file is no longer the one it wrote.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        written = _mark(part)
        try:
            os.link(part, target)
        except FileExistsError:
            part.replace(target)
        else:
            on_rollback(lambda: _take_away(target, written))
    finally:
        part.unlink(missing_ok=True)


def _mark(path: Path) -> tuple[int, int]:
    """Return what tells this copy of a file from another under the same name."""
    known = path.stat()
    return known.st_ino, known.st_mtime_ns


def _take_away(target: Path, written: tuple[int, int]) -> None:
    if target.exists() and _mark(target) == written:
        target.unlink()


def store(
    data: bytes,
    name: str,
    *,
    organisation_id: int | None,
    account_id: int | None,
    public: bool = False,
    kind: Kind = PAPER,
    field: str = "file",
) -> StoredFile:
    """Keep an upload and return its row.

    Raises Invalid, naming `field`, when it is too large, unreadable or not of this `kind`.
    """
    if len(data) > MAX_BYTES:
        raise Invalid(
            _l("文件太大，最多 10 MB。压缩后再上传。"),
            code="file_too_large",
            fields={field: _l("最多 10 MB。")},
        )
    content, media_type = _clean(data, kind, field)
    stored = StoredFile(
        sha256=hashlib.sha256(content).hexdigest(),
        media_type=media_type,
        size_bytes=len(content),
        original_name=_name(name, media_type),
        public=public,
        organisation_id=organisation_id,
        uploaded_by=account_id,
    )
    with transaction() as session:
        _write(path_of(stored), content)
        session.add(stored)
        session.flush()
    return stored

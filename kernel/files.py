"""Files that people upload, named by their content and kept under VAR_DIR/uploads."""

from __future__ import annotations

import hashlib
import io
from datetime import datetime
from pathlib import Path

from flask import current_app
from flask_babel import lazy_gettext as _l
from PIL import Image, UnidentifiedImageError
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kernel import clock
from kernel.db import Base, Keyed, transaction
from kernel.errors import Invalid

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_SIDE_PX = 1600

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


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


def _clean(data: bytes) -> tuple[bytes, str]:
    """Return content that is safe to serve and its media type: PDF as it is, pictures redrawn."""
    if data.startswith(b"%PDF-"):
        return data, "application/pdf"
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.format not in {"JPEG", "PNG", "WEBP"}:
                raise ValueError(picture.format)
            # Redrawing strips metadata, such as where a photograph was taken.
            picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
            out = io.BytesIO()
            picture.convert("RGB").save(out, "WEBP", quality=82)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as problem:
        raise Invalid(
            _l("这个文件读不了。请上传 JPG、PNG、WebP 图片或 PDF。"),
            code="file_not_readable",
            fields={"file": _l("请上传 JPG、PNG、WebP 图片或 PDF。")},
        ) from problem
    return out.getvalue(), "image/webp"


def store(
    data: bytes,
    name: str,
    *,
    organisation_id: int | None,
    account_id: int | None,
    public: bool = False,
) -> StoredFile:
    """Keep an upload and return its row. Raises Invalid when it is too large or unreadable."""
    if len(data) > MAX_BYTES:
        raise Invalid(
            _l("文件太大，最多 10 MB。压缩后再上传。"),
            code="file_too_large",
            fields={"file": _l("最多 10 MB。")},
        )
    content, media_type = _clean(data)
    stored = StoredFile(
        sha256=hashlib.sha256(content).hexdigest(),
        media_type=media_type,
        size_bytes=len(content),
        original_name=Path(name).name[:200] or "file",
        public=public,
        organisation_id=organisation_id,
        uploaded_by=account_id,
    )
    target = path_of(stored)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        part = target.with_suffix(".part")
        part.write_bytes(content)
        part.replace(target)
    with transaction() as session:
        session.add(stored)
        session.flush()
    return stored

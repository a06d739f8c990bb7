"""Files made to harm: read by what they hold, refused by name of the field, leaving nothing."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from PIL import Image
from sqlalchemy import func, select

from kernel import clock, files
from kernel.db import db, transaction
from kernel.errors import Conflict, Invalid
from kernel.files import StoredFile, path_of, store
from kernel.sheets import MAX_PARTS, MAX_UNPACKED_BYTES, check_workbook
from sellers.imports.reading import read_workbook

WHOLE_PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<<>>\nstartxref\n9\n%%EOF\n"
PLACE = "51.5007"


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 24), **more: Any) -> bytes:
    out = io.BytesIO()
    pixels = random.Random(4).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, pixels).save(out, kind, **more)
    return out.getvalue()


def claimed(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be that large."""

    def chunk(name: bytes, content: bytes) -> bytes:
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\0" * 4096)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def workbook(*lines: list[Any]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    default: list[list[Any]] = [["产品名称", "数量"], ["春橙", 3]]
    for line in lines or default:
        book.worksheets[0].append(line)
    book.save(out)
    return out.getvalue()


def packed(parts: dict[str, bytes], like: bytes | None = None) -> bytes:
    """An archive of `parts`, over those of the workbook `like`."""
    kept = {}
    if like is not None:
        with zipfile.ZipFile(io.BytesIO(like)) as book:
            kept = {name: book.read(name) for name in book.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**kept, **parts}.items():
            archive.writestr(name, content)
    return out.getvalue()


def laughs(encoding: str = "utf-8") -> bytes:
    """Nested entities: a kilobyte that would become gigabytes."""
    nested = "".join(
        f'<!ENTITY a{n} "{"&a" + str(n - 1) + ";" if n else "ha"}{"&a0;" * 9 * bool(n)}">'
        for n in range(12)
    )
    said = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = f"<!DOCTYPE sst [{nested}]><sst>&a11;</sst>"
    if encoding == "cp500":  # a reader only then leaves ASCII
        return said.encode() + text.encode(encoding)
    return (said + text).encode(encoding)


def left(app: Flask) -> list[Path]:
    return [path for path in Path(app.config["UPLOAD_DIR"]).rglob("*") if path.is_file()]


@pytest.fixture
def uploads(app: Flask, tmp_path: Path) -> Iterator[Flask]:
    """The application with an empty folder for uploads."""
    before, app.config["UPLOAD_DIR"] = app.config["UPLOAD_DIR"], str(tmp_path)
    with app.app_context():
        yield app
        db.session.rollback()
    app.config["UPLOAD_DIR"] = before


def keep(data: bytes, name: str = "a.jpg", kind: files.Kind = files.PAPER) -> StoredFile:
    return store(data, name, organisation_id=None, account_id=None, kind=kind, field="proof")


SCRIPT = b"<script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"", files.PAPER, "file_not_readable"),
        (SVG, files.PAPER, "file_not_readable"),
        (b'<?xml version="1.0"?>' + SVG, files.PHOTO, "file_not_readable"),
        (b"<!doctype html>" + SCRIPT, files.PAPER, "file_not_readable"),
        (picture("GIF"), files.PAPER, "file_not_readable"),
        (picture("TIFF"), files.PAPER, "file_not_readable"),
        (picture("BMP"), files.PHOTO, "file_not_readable"),
        (picture("JPEG")[:300], files.PHOTO, "file_not_readable"),
        (WHOLE_PDF, files.PHOTO, "file_not_readable"),
        (WHOLE_PDF[:-12], files.PAPER, "file_not_readable"),
        (b"\n" + WHOLE_PDF, files.PAPER, "file_not_readable"),
        (WHOLE_PDF + SCRIPT * 90, files.PAPER, "file_not_readable"),
        (WHOLE_PDF + workbook() + WHOLE_PDF[-20:], files.PAPER, "file_not_readable"),
        (claimed(4001, 4000), files.PAPER, "picture_too_large"),
        (claimed(12_000, 9_000), files.PHOTO, "picture_too_large"),
        (claimed(60_000, 60_000), files.PHOTO, "picture_too_large"),
        (b"\xff" * (files.MAX_BYTES + 1), files.PAPER, "file_too_large"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_no_picture_or_paper_is_refused_by_its_content(
    uploads: Flask, data: bytes, kind: files.Kind, code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        keep(data, "photo.jpg", kind)
    assert refused.value.code == code
    assert list(refused.value.fields) == ["proof"]
    assert left(uploads) == []
    assert db.session.scalar(select(func.count()).select_from(StoredFile)) == 0


def test_a_large_photograph_from_a_phone_is_taken(uploads: Flask) -> None:
    out = io.BytesIO()
    Image.new("RGB", (5200, 3900), "orange").save(out, "JPEG")
    with Image.open(path_of(keep(out.getvalue(), kind=files.PHOTO))) as kept:
        assert kept.size == (1600, 1200)


def test_a_photograph_with_another_picture_behind_it_is_taken(uploads: Flask) -> None:
    """Phones write a map of depths or a small preview so; the file is a JPEG all the same."""
    out, behind = io.BytesIO(), Image.new("RGB", (320, 240), "gray")
    Image.new("RGB", (5200, 3900), "orange").save(out, "MPO", save_all=True, append_images=[behind])
    with Image.open(path_of(keep(out.getvalue(), kind=files.PHOTO))) as kept:
        assert (kept.format, kept.size) == ("WEBP", (1600, 1200))


def with_secrets(kind: str) -> bytes:
    """A picture that says where it was taken, by whom, and hides a page at its end."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x013B] = "Somebody"
    exif.get_ifd(0x8825)[29] = PLACE
    more: dict[str, Any] = {"exif": exif}
    if kind == "JPEG":
        more |= {"comment": PLACE.encode(), "icc_profile": b"profile " + PLACE.encode()}
    if kind == "WEBP":
        more |= {"xmp": PLACE.encode(), "lossless": True}
    return picture(kind, **more) + SCRIPT


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_but_the_pixels_of_a_picture_is_kept(uploads: Flask, kind: str) -> None:
    sent = with_secrets(kind)
    assert PLACE.encode() in sent  # the control: it was there
    assert SCRIPT in sent
    stored = keep(sent, "..\\evil\u202e.html")
    content = path_of(stored).read_bytes()
    for gone in (PLACE.encode(), b"Somebody", SCRIPT, b"EXIF", b"ICCP", b"XMP "):
        assert gone not in content
    with Image.open(io.BytesIO(content)) as kept:
        assert kept.size == (24, 40)  # the turn was done, not noted
        assert (kept.format, dict(kept.getexif()), kept.info.get("icc_profile")) == (
            "WEBP",
            {},
            None,
        )
    assert stored.original_name.endswith("evil.webp")


def give_up(uploads: Flask, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Keep a picture in a transaction that is refused after it."""

    def act() -> None:
        with transaction():
            keep(picture())
            assert left(uploads) != []
            meanwhile()
            raise Conflict()

    with pytest.raises(Conflict):
        act()


def test_an_upload_that_is_given_up_leaves_no_file(uploads: Flask) -> None:
    give_up(uploads)
    assert left(uploads) == []
    kept = keep(picture())
    give_up(uploads)
    assert left(uploads) == [path_of(kept)]


def test_the_same_picture_from_two_people_outlives_the_one_that_gives_up(uploads: Flask) -> None:
    def another_request() -> None:
        with uploads.app_context():
            keep(picture())

    give_up(uploads, another_request)
    assert left(uploads) == [path_of(db.session.scalars(select(StoredFile)).one())]


@pytest.fixture(scope="module")
def intact() -> dict[str, bytes]:
    return {
        "jpeg": with_secrets("JPEG"),
        "png": with_secrets("PNG"),
        "webp": with_secrets("WEBP"),
        "pdf": WHOLE_PDF,
        "workbook": workbook(),
    }


damage = st.one_of(
    st.tuples(st.just("cut"), st.integers(0, 10**6), st.just(0)),
    st.tuples(st.just("flip"), st.integers(0, 10**6), st.integers(1, 255)),
    st.tuples(st.just("insert"), st.integers(0, 10**6), st.integers(0, 255)),
)


def damaged(data: bytes, harms: list[tuple[str, int, int]]) -> bytes:
    for what, at, byte in harms:
        spot = at % (len(data) or 1)
        if what == "cut":
            data = data[:spot]
        elif what == "insert":
            data = data[:spot] + bytes([byte]) * 7 + data[spot:]
        elif data:
            data = data[:spot] + bytes([data[spot] ^ byte]) + data[spot + 1 :]
    return data


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(["jpeg", "png", "webp", "pdf", "workbook"]),
    harms=st.lists(damage, min_size=1, max_size=6),
)
def test_damage_is_taken_or_refused_and_never_a_fault(
    uploads: Flask, intact: dict[str, bytes], kind: str, harms: list[tuple[str, int, int]]
) -> None:
    data = damaged(intact[kind], harms)
    before = left(uploads)
    try:
        if kind == "workbook":
            check_workbook(data, most_bytes=10**6, field="proof")
            rows, faults = read_workbook(data, clock.today())
            assert rows or faults
        else:
            keep(data)
    except Invalid as refused:
        named = list(refused.fields)
    else:
        return
    assert (named, left(uploads)) == (["proof"], before)


DULL = b"<a/>" * (MAX_UNPACKED_BYTES // 8)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (packed({"xl/a.xml": b" " * (MAX_UNPACKED_BYTES + 1)}, workbook()), "file_too_large"),
        (packed({"xl/a.xml": DULL}, workbook()), "file_too_large"),
        (packed({f"xl/{n}": b"" for n in range(MAX_PARTS)}, workbook()), "file_too_large"),
        (packed({"xl/sharedStrings.xml": laughs()}, workbook()), "not_a_spreadsheet"),
        (packed({"xl/sharedStrings.xml": laughs("utf-16")}, workbook()), "not_a_spreadsheet"),
        (packed({"xl/sharedStrings.xml": laughs("cp500")}, workbook()), "not_a_spreadsheet"),
        (packed({"xl/picture.png": laughs()}, workbook()), "not_a_spreadsheet"),
        (packed({"[Content_Types].xml": b"<!DOCTYPE a>"}, workbook()), "not_a_spreadsheet"),
        (packed({"a.txt": b"no workbook"}), "not_a_spreadsheet"),
        (workbook()[:-40], "not_a_spreadsheet"),
        (WHOLE_PDF, "not_a_spreadsheet"),
        (b"", "file_empty"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_workbook_that_swells_or_defines_entities_is_never_opened(
    app: Flask, data: bytes, code: str
) -> None:
    with app.app_context(), pytest.raises(Invalid) as refused:
        check_workbook(data, most_bytes=5 * 2**20)
    assert (refused.value.code, list(refused.value.fields)) == (code, ["file"])


def test_a_workbook_as_programs_write_it_is_opened(app: Flask) -> None:
    many = workbook(*([f"产品 {n}", n, "<b> & !DOCTYPE"] for n in range(500)))
    with app.app_context():
        check_workbook(many, most_bytes=5 * 2**20)
    assert load_workbook(io.BytesIO(many)).worksheets[0].max_row == 500

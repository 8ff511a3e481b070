"""A workbook (Office Open XML) written row by row, so that it can be sent while it is made.

Texts stand in their cells as texts, which no program runs as a formula. By hand, since the packages that
write workbooks finish a file before its first byte can be sent.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

Cell = str | int | Decimal | bool | datetime | None

MOST_ROWS = 1_048_576  # of one sheet, by the format; what is more goes on in another sheet
MOST_LETTERS = 32_767  # of one cell
_DIGITS = 15  # that a spreadsheet keeps of a number; a longer one stays whole as a text
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
_FIRST_DAY = datetime(1900, 3, 1, tzinfo=UTC)  # before it the format counts a day that never was
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_ROWS = 500

_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    "<fonts><font/><font><b/></font></fonts>"
    '<fills><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    "<borders><border/></borders><cellStyleXfs><xf/></cellStyleXfs>"
    '<cellXfs><xf/><xf numFmtId="164" applyNumberFormat="1"/><xf fontId="1" applyFont="1"/></cellXfs>'
    '<cellStyles><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def workbook(title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """A workbook in pieces.

    Args:
        title: of its sheet.
        header: names of the columns; they stay in sight.
        rows: cells; instants in UTC.
    """
    pipe = Pipe()
    left = iter(rows)
    sheets = 0
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        row = next(left, None)
        while row is not None or not sheets:
            sheets += 1
            with archive.open(f"xl/worksheets/sheet{sheets}.xml", "w", force_zip64=True) as sheet:
                sheet.write(_sheet_head(header).encode())
                number = 1
                while row is not None and number < MOST_ROWS:
                    number += 1
                    sheet.write(_row(row).encode())
                    row = next(left, None)
                    if number % _ROWS == 0:
                        yield pipe.taken()
                sheet.write(b"</sheetData></worksheet>")
        for name, text in _parts(title, sheets):
            archive.writestr(name, text)
    yield pipe.taken()


def _sheet_head(header: Sequence[str]) -> str:
    names = "".join(f'<c t="inlineStr" s="2"><is><t>{_text(name)}</t></is></c>' for name in header)
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    views = f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
    return f'{_HEAD}<worksheet xmlns="{_MAIN}">{views}<sheetData><row>{names}</row>'


def _row(cells: Sequence[Cell]) -> str:
    return f"<row>{''.join(map(_cell, cells))}</row>"


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime):
        if value >= _FIRST_DAY:
            days = (value - _EPOCH).total_seconds() / 86_400
            return f'<c s="1"><v>{days!r}</v></c>'
        value = value.isoformat()
    elif not isinstance(value, str):
        written = format(value, "f") if isinstance(value, Decimal) else str(value)
        if len(written.strip("-").replace(".", "").lstrip("0")) <= _DIGITS:
            return f"<c><v>{written}</v></c>"
        value = written
    return f'<c t="inlineStr"><is><t xml:space="preserve">{_text(value)}</t></is></c>'


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text[:MOST_LETTERS]))


def _parts(title: str, sheets: int) -> Iterator[tuple[str, str]]:
    """What stands beside the sheets; last, since only then their number is known."""
    numbers = range(1, sheets + 1)
    override = '<Override PartName="/xl/{}" ContentType="' + _TYPE + '.{}+xml"/>'
    types = [override.format("workbook.xml", "sheet.main"), override.format("styles.xml", "styles")]
    types += [override.format(f"worksheets/sheet{n}.xml", "worksheet") for n in numbers]
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
    )
    content = "http://schemas.openxmlformats.org/package/2006/content-types"
    yield "[Content_Types].xml", f'{_HEAD}<Types xmlns="{content}">{defaults}{"".join(types)}</Types>'
    yield "_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")])
    targets = [("worksheet", f"worksheets/sheet{n}.xml") for n in numbers] + [("styles", "styles.xml")]
    yield "xl/_rels/workbook.xml.rels", _relations(targets)
    named = "".join(
        f'<sheet name="{escape(title)}{f" {n}" if n > 1 else ""}" sheetId="{n}" r:id="rId{n}"/>'
        for n in numbers
    )
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets></workbook>'
    yield "xl/workbook.xml", _HEAD + book
    yield "xl/styles.xml", _STYLES


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    found = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(targets, 1)
    )
    return f'{_HEAD}<Relationships xmlns="{_RELATIONS}">{found}</Relationships>'


class Pipe(io.RawIOBase):
    """What a zip is written to: it keeps what was written until that is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def taken(self) -> bytes:
        """Everything written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

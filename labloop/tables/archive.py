"""The zip of a workbook, checked before anything parses it.

What unpacks to far more than it weighs, or declares a document type (the door for entity bombs and
external files), is refused.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from typing import Final, NoReturn
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from labloop.tables.numbers import quoted
from labloop.tables.table import reject

MAX_UNPACKED: Final = 256 * 2**20
# Sheets of real plate readers unpack to 5-20 times their size; deflate reaches 1000.
_MAX_RATIO: Final = 100
_RATIO_MATTERS_ABOVE: Final = 10 * 2**20
_MAX_PARTS: Final = 10_000
_FORMULA: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?f[\s/>]")
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def refuse_damaged(source: str, why: object) -> NoReturn:
    """Reject a workbook that cannot be read; `why` is what reading it said."""
    reject(
        source,
        [
            f"{source}: the workbook is damaged ({quoted(str(why))}); "
            "open it in Excel and save it again"
        ],
    )


def check_archive(content: bytes, source: str) -> bool:
    """Refuse bombs, encryption and document types; return whether any sheet holds formulas."""
    has_formulas = False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            _check_sizes(parts, len(content), source)
            for part in parts:
                with archive.open(part) as stream:
                    unpacked = stream.read()
                if unpacked.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"<"):
                    _check_prolog(unpacked, part.filename, source)
                    has_formulas = has_formulas or _FORMULA.search(unpacked) is not None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        refuse_damaged(source, error)
    return has_formulas


def _check_sizes(parts: list[zipfile.ZipInfo], weight: int, source: str) -> None:
    """Refuse a workbook by what its directory says that it would unpack to."""
    unpacked = sum(part.file_size for part in parts)
    ratio = unpacked / max(weight, 1)
    if (
        unpacked > MAX_UNPACKED
        or len(parts) > _MAX_PARTS
        or (unpacked > _RATIO_MATTERS_ABOVE and ratio > _MAX_RATIO)
    ):
        reject(
            source,
            [
                f"{source}: the workbook would unpack to {unpacked / 2**20:,.0f} MB; "
                "that is no table of measurements; save the sheet as CSV"
            ],
        )
    if any(part.flag_bits & 1 or part.compress_type not in _METHODS for part in parts):
        reject(source, [f"{source}: the workbook is encrypted; save it without a password"])


def _check_prolog(xml: bytes, part: str, source: str) -> None:
    """Refuse a document type, which stands before the first element."""
    try:
        next(iter(iterparse(io.BytesIO(xml), events=("start",), forbid_dtd=True)), None)
    except DefusedXmlException:
        reject(
            source,
            [
                f"{source}: its part {quoted(part)} declares an XML document type, "
                "which no spreadsheet program writes; export the sheet again"
            ],
        )
    except (ParseError, ValueError, LookupError) as error:
        refuse_damaged(source, f"{part}: {error}")

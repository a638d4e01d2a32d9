"""Where a table comes from: a file in some encoding, gzip or not, or the standard input."""

from __future__ import annotations

import codecs
import csv
import gzip
import os
import re
import sys
import zlib
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import islice
from pathlib import Path

from cvxnn.cli.reporting import say
from cvxnn.errors import InputError

STDIN = "-"

_GZIP = b"\x1f\x8b"
_SEPARATORS = ",;\t|"
# What a file begins with that says how it is encoded; UTF-8 is without one, too.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What else a text may be in: that of Windows in the west, which has all letters of Latin-1.
_WESTERN = "cp1252"
# The line by which Excel knows the separator.
_DECLARED = re.compile(r'"?sep=([^\r\n])"?(?=\r?\n)', re.IGNORECASE)
# Lines from which the separator is guessed.
_SAMPLE = 50


@dataclass(frozen=True)
class Source:
    """The text of a table.

    Attributes
    ----------
    name : str
        As messages call it.
    text : str
        Without a byte order mark; ends of lines are as they were, and a line that declares
        the separator is empty.
    declared : str
        The separator of that line; empty if there is none.
    """

    name: str
    text: str
    declared: str = ""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Source:
        """Read a file, or the standard input where the path is ``-``.

        The encoding is that of the byte order mark, else UTF-8, else Windows-1252, which is
        said.

        Raises
        ------
        InputError
            If it is no text in one of them, or a damaged gzip file.
        OSError
            If it cannot be read.
        """
        name = os.fspath(path)
        content = sys.stdin.buffer.read() if name == STDIN else Path(path).read_bytes()
        shown = "standard input" if name == STDIN else name
        if content.startswith(_GZIP):
            try:
                content = gzip.decompress(content)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise InputError(f"{shown} is a damaged gzip file.") from error
        text = _decoded(content, shown)
        declared = _DECLARED.match(text)
        if declared is None:
            return cls(shown, text)
        return cls(shown, text[declared.end() :], declared[1])

    @cached_property
    def separator(self) -> str:
        """What is between the cells: a comma, semicolon, tab or bar; a comma if in doubt."""
        if self.declared:
            return self.declared
        sample = "".join(islice((line for line in self.open() if line.strip()), _SAMPLE))
        try:
            return csv.Sniffer().sniff(sample, delimiters=_SEPARATORS).delimiter
        except csv.Error:
            # One column, or lines of different lengths, which the reader of rows reports.
            return ","

    def open(self) -> StringIO:
        """The text as a stream."""
        return StringIO(self.text, newline="")


def _decoded(content: bytes, name: str) -> str:
    known = next((code for mark, code in _MARKS.items() if content.startswith(mark)), None)
    if known is None and b"\0" in content:
        raise InputError(
            f"{name} is not a CSV file in UTF-8. A workbook has to be saved as CSV, and UTF-16 "
            "needs its byte order mark."
        )
    try:
        return content.decode(known or "utf-8")
    except UnicodeDecodeError as error:
        first = error
    try:
        if known is not None:
            raise first
        text = content.decode(_WESTERN)
    except UnicodeDecodeError as error:
        place = f"byte {first.start + 1} is none"
        if known == "utf-16":
            raise InputError(
                f"{name} begins as UTF-16 and is none to its end: {place}. It may be cut short."
            ) from error
        raise InputError(
            f"{name} is not a CSV file in UTF-8: {place}. Save it in UTF-8."
        ) from error
    line, cell = content.count(b"\n", 0, first.start) + 1, _around(content, first.start)
    say(
        f"{name} is not in UTF-8 and is read as Windows-1252 (Latin-1): {cell!r} in line {line}. "
        "If that is wrong, save it in UTF-8."
    )
    return text


def _around(content: bytes, place: int) -> str:
    """The word with the byte at a place."""
    before = re.search(rb"[^\s,;|]{0,20}\Z", content[:place])
    after = re.match(rb"[^\s,;|]{0,20}", content[place:])
    return b"".join(part[0] for part in (before, after) if part).decode(_WESTERN)

"""Where a table comes from: a file, compressed with gzip or not, or the standard input."""

from __future__ import annotations

import csv
import gzip
import os
import sys
import zlib
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from itertools import islice
from pathlib import Path

from cvxnn.errors import InputError

STDIN = "-"

_GZIP = b"\x1f\x8b"
_SEPARATORS = ",;\t|"
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
        Without a byte order mark; ends of lines are as they were.
    """

    name: str
    text: str

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Source:
        """Read a file in UTF-8, or the standard input where the path is ``-``.

        Raises
        ------
        InputError
            If it is no text in UTF-8, or a damaged gzip file.
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
        try:
            return cls(shown, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InputError(f"{shown} is not a CSV file in UTF-8.") from error

    @cached_property
    def separator(self) -> str:
        """What is between the cells: a comma, semicolon, tab or bar; a comma if in doubt."""
        sample = "".join(islice((line for line in self.open() if line.strip()), _SAMPLE))
        try:
            return csv.Sniffer().sniff(sample, delimiters=_SEPARATORS).delimiter
        except csv.Error:
            # One column, or lines of different lengths, which the reader of rows reports.
            return ","

    def open(self) -> StringIO:
        """The text as a stream."""
        return StringIO(self.text, newline="")

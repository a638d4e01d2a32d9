"""Where tables come from: separators, gzip, the standard input, marks and encodings."""

import gzip
import io

import pytest

from cvxnn.cli.sources import Source
from cvxnn.cli.tables import open_table
from cvxnn.errors import InputError


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b;c\n1,5;2,5;x\n2,5;3;y\n", ";"),
        ("a;b\n1,5;2,5\n2,5;3,5\n", ";"),
        ("\n  \na\tb\n1,5\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"a, b";"c"\n"x, y";1\n', ";"),
        ('id,name,v\n1,"Braun, Owen",2\n2,"X; Y",3\n', ","),
        ("x,note\n1,a;b\n2,c;d\n", ","),
        ("Preis, EUR;Fläche, qm\n1,5;2\n", ";"),
        ("id;day;price\n1;01.02.2020;1,5\n2;02.02.2020;2,5\n", ";"),
        ("a,b,c\n1,,3\n,,\n2,3,4\n", ","),
        ("price\n1\n2\n", ","),
        ("", ","),
    ],
)
def test_the_separator_is_found(text, separator):
    assert Source("x", text).separator == separator


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_and_the_standard_input_are_the_same(tmp_path, monkeypatch, mark, pack):
    content, path = pack(mark + "a,ü\r\n1,2\r\n".encode()), tmp_path / "data.csv"
    path.write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert Source.read(path) == Source(str(path), "a,ü\r\n1,2\r\n")
    assert Source.read("-") == Source("standard input", "a,ü\r\n1,2\r\n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a\n\xe9\x81\n", "is not a CSV file in UTF-8: byte 3 is none. Save it in UTF-8."),
        (
            b"PK\x03\x04\0\0",
            "is not a CSV file in UTF-8. A workbook has to be saved as CSV, and UTF-16 needs its "
            "byte order mark.",
        ),
        (
            b"\xff\xfea\0\n",
            "begins as UTF-16 and is none to its end: byte 5 is none. It may be cut short.",
        ),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9], "is a damaged gzip file."),
        (b"\x1f\x8b and no more", "is a damaged gzip file."),
    ],
)
def test_what_is_no_text_is_refused(tmp_path, content, sentence):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        Source.read(path)
    assert str(caught.value) == f"{path} {sentence}"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding, capsys):
    text = "Straße;Preis\n1;2\n"
    mark = "" if encoding == "utf-16" else "\ufeff"
    path = tmp_path / "data.csv"
    path.write_bytes((mark + text).encode(encoding))
    assert Source.read(path).text == text
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_bytes_that_are_no_utf_8_are_read_as_those_of_windows(tmp_path, encoding, capsys):
    text = "Ort;Preis\nKöln;2\nBad Münster;3\n"
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode(encoding))
    assert Source.read(path).text == text
    assert capsys.readouterr().err == (
        f"note: {path} is not in UTF-8 and is read as Windows-1252 (Latin-1): 'Köln' in line 2. "
        "If that is wrong, save it in UTF-8.\n"
    )


@pytest.mark.parametrize(
    ("first", "separator"),
    [("sep=;\r\n", ";"), ('"SEP=|"\n', "|"), ("sep=\t\n", "\t"), ("\ufeffsep=;\n", ";")],
)
def test_a_line_for_excel_declares_the_separator(tmp_path, first, separator):
    path = tmp_path / "data.csv"
    # Commas are all over the place: without the line they would be taken.
    text = f"a{separator}b\n1,5{separator}2,5\n2,5{separator}x\n"
    path.write_bytes((first + text).encode())
    table = open_table(path)
    assert Source.read(path).separator == separator and table.columns == ("a", "b")
    cells = pytest.importorskip("cvxnn.cli.cells").Cells.read(Source.read(path))
    assert cells.lines.tolist() == [3, 4] and cells.frame["b"].tolist() == ["2,5", "x"]

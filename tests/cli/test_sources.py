"""Where tables come from: separators, gzip, the standard input, marks and encodings."""

import gzip
import io

import pytest

from cvxnn.cli.sources import Source
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
        (b"a\n\xe9\n", "is not a CSV file in UTF-8."),
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

"""Formats that load, and unreadable files that are refused with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopeft.data.files import read_file
from autopeft.errors import UsageError

RECORDS = [
    {"text": 'He said "no", twice', "label": "good"},
    {"text": "two\nlines, one row", "label": "bad"},
    {"text": "Grüße, null", "label": "NA"},
]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv", "a.parquet", "A.CSV"])
def test_every_format_gives_the_same_columns(write, name):
    path = write(name.lower(), RECORDS)
    path = path.rename(path.with_name(name))
    table = read_file(path)
    assert list(table.columns) == ["text", "label"]
    assert list(table.columns["text"]) == [r["text"] for r in RECORDS]
    assert list(table.columns["label"]) == ["good", "bad", "NA"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.tsv"])
def test_byte_order_mark_is_no_part_of_the_first_column(write, name):
    path = write(name, RECORDS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert "text" in read_file(path).columns


def test_json_lines_under_the_name_json(write):
    path = write("a.jsonl", RECORDS)
    assert len(read_file(path.rename(path.with_suffix(".json")))) == 3


def test_line_separator_within_a_json_string_ends_no_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a\u2028b", "label": 1}\n\n{"text": "c", "label": 2}\n', "utf-8")
    assert list(read_file(path).columns["text"]) == ["a\u2028b", "c"]


def test_key_missing_in_a_record_is_none(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b", "label": "x"}\n')
    assert list(read_file(path).columns["label"]) == [None, "x"]


def test_semicolons_and_windows_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text;label\r\none, two;x\r\nthree;y\r\n")
    assert read_file(path).columns == {"text": ["one, two", "three"], "label": ["x", "y"]}


def test_tsv_with_bare_quotation_marks(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n" the witness " , he said\t1\n"open\t0\n')
    assert list(read_file(path).columns["text"]) == ['" the witness " , he said', '"open']


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2"),
        ("a.jsonl", b'{"text": "a"}\n[1, 2]\n', "line 2"),
        ("a.jsonl", b"[" * 100_000, "line 1"),
        ("a.json", b'[{"text": "a"},\n {"text" "b"}]', "line 2"),
        ("a.json", b'[{"text": "a"}, 3]', "item 2"),
        ("a.json", b'{"text": {"0": "a"}}', "list"),
        ("a.csv", b"text,label\na,1\nb,2,3\n", "3 fields at line 3"),
        ("a.csv", b"text,label\na,1\nb\n", "1 fields at line 3"),
        ("a.csv", b'text,label\n"a" b,1\n', "line 2"),
        ("a.csv", b'text,label\n"a,1\n', "cannot be parsed"),
        ("a.csv", b"text,text\na,1\n", "two columns `text`"),
        ("a.csv", b"a fine film,1\na bad film,0\n", "no header"),
        ("a.tsv", b"text\tlabel\na\t1\t2\n", "line 2"),
        ("a.parquet", b"text,label\na,1\n", "not a Parquet file"),
        ("a.csv", b"text,label\na,1\ncaf\xe9,2\n", "not UTF-8 at line 3"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', "not UTF-8 at line 2"),
        ("a.jsonl", "text".encode("utf-16"), "not UTF-8 at line 1"),
        ("a.csv", b"", "no rows"),
        ("a.csv", b"text,label\n", "no rows"),
        ("a.jsonl", b"\n\n", "no rows"),
        ("a.json", b"[]", "no rows"),
        ("a.xlsx", b"", "not a data file"),
        ("a", b"", "not a data file"),
    ],
)
def test_unreadable_file(tmp_path, name, content, part):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_file(path)
    assert part in caught.value.message
    assert f"`{path}`" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_permission_denied(monkeypatch, write, name):
    path = write(name, RECORDS)

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        read_file(path)

"""Guessing the columns, and refusing to guess."""

from __future__ import annotations

import pytest

from autopeft.data.columns import choose_columns
from autopeft.data.table import Table
from autopeft.errors import UsageError

TEXT = ["some words", "other words"]
NUMBERS = ["1", "2"]


def choose(columns, **named):
    chosen = choose_columns(
        Table("data", columns), text=named.get("text", ()), label=named.get("label", "")
    )
    return chosen.text, chosen.label


@pytest.mark.parametrize(
    ("names", "text", "label"),
    [
        (["idx", "text", "label"], ("text",), "label"),
        (["text_a", "text_b", "label"], ("text_a", "text_b"), "label"),
        (["sentence1", "sentence2", "label", "idx"], ("sentence1", "sentence2"), "label"),
        (["premise", "hypothesis", "label"], ("premise", "hypothesis"), "label"),
        (["question", "sentence", "label"], ("question", "sentence"), "label"),
        (["question", "passage", "answer"], ("question", "passage"), "answer"),
        (["sentence", "label"], ("sentence",), "label"),
        (["review", "sentiment"], ("review",), "sentiment"),
        (["Text", "Label"], ("Text",), "Label"),
        (["text", "title", "category"], ("text",), "category"),
        (["", "text", "stars_given"], ("text",), "stars_given"),
        (["text", "label", "score"], ("text",), "label"),
    ],
)
def test_known_names(names, text, label):
    assert choose(dict.fromkeys(names, TEXT)) == (text, label)


def test_the_only_column_of_words_is_the_text():
    assert choose({"id": NUMBERS, "body": TEXT, "label": ["a", "b"]}) == (("body",), "label")


def test_the_column_beside_the_named_text_is_the_label():
    assert choose({"body": TEXT, "kind": TEXT}, text=("body",)) == (("body",), "kind")


def test_named_columns_win():
    columns = {"text": TEXT, "label": NUMBERS, "body": TEXT, "kind": NUMBERS}
    assert choose(columns, text=("body",), label="kind") == (("body",), "kind")


@pytest.mark.parametrize(
    ("columns", "option"),
    [
        ({"title": TEXT, "body": TEXT, "label": NUMBERS}, "--text"),
        ({"id": NUMBERS, "label": NUMBERS}, "--text"),
        ({"label": NUMBERS}, "--text"),
        ({"text": TEXT, "fine": NUMBERS, "coarse": NUMBERS}, "--label"),
        ({"text": TEXT, "score": NUMBERS, "category": NUMBERS}, "--label"),
        ({"text": TEXT}, "--label"),
    ],
)
def test_ambiguous_columns_are_listed(columns, option):
    with pytest.raises(UsageError) as caught:
        choose(columns)
    assert option in caught.value.hint
    assert all(name in caught.value.hint for name in columns)


def test_wrong_name_lists_the_columns_and_the_nearest():
    with pytest.raises(UsageError, match="no column `lable`") as caught:
        choose({"text": TEXT, "label": NUMBERS}, label="lable")
    assert "Did you mean `label`?" in caught.value.hint
    assert "text, label" in caught.value.hint

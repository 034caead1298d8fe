"""Whole sources: the three splits, what is dropped and noted, what is refused."""

from __future__ import annotations

from collections import Counter

import pytest

from autopeft.data import DataOptions, load
from autopeft.errors import UsageError


def texts(*splits):
    return [text for split in splits for text in split.texts]


def assert_disjoint(data):
    every = [set(split.texts) for split in (data.train, data.validation, data.report)]
    assert not every[0] & every[1] | every[0] & every[2] | every[1] & every[2]


def noted(data, part):
    return any(part in note for note in data.notes)


def test_one_file_gives_three_splits(write, reviews):
    data = load(str(write("film.csv", reviews(100))))
    assert (data.name, data.task, data.classes) == (
        "film",
        "text_classification",
        ("bad", "good"),
    )
    assert (len(data.train), len(data.validation), len(data.report)) == (64, 16, 20)
    assert Counter(data.validation.labels) == {0.0: 8, 1.0: 8}
    assert Counter(data.report.labels) == {0.0: 10, 1.0: 10}
    assert_disjoint(data)
    assert noted(data, "`text`")
    assert noted(data, "carved")


def test_folder_reports_on_its_test_file(write, reviews):
    folder = write("set/train.jsonl", reviews(100)).parent
    write("set/dev.csv", reviews(30, prefix="dev"))
    write("set/test.parquet", reviews(40, prefix="test"))
    data = load(str(folder))
    assert data.name == "set"
    assert texts(data.report) == [(r["text"],) for r in reviews(40, prefix="test")]
    assert (len(data.train), len(data.validation)) == (80, 20)
    assert noted(data, "dev.csv` is not used")


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev"])
def test_folder_without_a_test_file_reports_on_validation(write, reviews, name):
    folder = write("set/train.jsonl", reviews(50)).parent
    write(f"set/{name}.jsonl", reviews(30, prefix="other"))
    assert len(load(str(folder)).report) == 30


@pytest.mark.parametrize("label", [-1, None, "", "absent"])
def test_unlabelled_test_file_is_ignored(write, reviews, label):
    folder = write("set/train.jsonl", reviews(50, labels=(0, 1))).parent
    write("set/dev.jsonl", reviews(30, labels=(0, 1), prefix="dev"))
    unlabelled = [{**r, "label": label} for r in reviews(40, prefix="test")]
    if label == "absent":
        unlabelled = [{"text": r["text"]} for r in unlabelled]
    write("set/test.jsonl", unlabelled)
    data = load(str(folder))
    assert len(data.report) == 30
    assert noted(data, "test.jsonl` has no labels")


def test_rows_shared_with_the_report_split_leave_training(write, reviews):
    train = reviews(100)
    folder = write("set/train.jsonl", train).parent
    write("set/test.jsonl", train[:7] + reviews(20, prefix="test"))
    data = load(str(folder))
    assert len(data.report) == 27
    assert len(data.train) + len(data.validation) == 93
    assert_disjoint(data)
    assert noted(data, "in the report split too dropped from")


def test_repeated_rows_are_in_one_split(write, reviews):
    data = load(str(write("a.csv", reviews(60) + reviews(60))))
    assert len(texts(data.train, data.validation, data.report)) == 60
    assert_disjoint(data)
    assert noted(data, ": 60.")


def test_pairs_of_texts(write):
    records = [
        {"premise": f"p {i}", "hypothesis": f"h {i}", "label": i % 2 == 0} for i in range(40)
    ]
    data = load(str(write("a.jsonl", records)))
    assert all(len(pair) == 2 and pair[0][2:] == pair[1][2:] for pair in data.train.texts)
    assert data.classes == ("false", "true")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.tsv"])
def test_regression(write, reviews, name):
    labels = tuple(i / 4 for i in range(20))
    data = load(str(write(name, reviews(100, labels=labels))))
    assert (data.task, data.classes) == ("text_regression", ())
    assert set(texts(data.train)) <= {(f"film number {i}",) for i in range(100)}
    number = {f"film number {i}": (i % 20) / 4 for i in range(100)}
    assert all(number[t] == y for (t,), y in zip(data.train.texts, data.train.labels, strict=True))
    assert_disjoint(data)


def test_caps(write, reviews):
    options = DataOptions(validation_rows=12, train_rows=32)
    data = load(str(write("a.csv", reviews(400, labels=("a", "b", "b", "b")))), options)
    assert Counter(data.train.labels) == {0.0: 8, 1.0: 24}
    assert Counter(data.validation.labels) == {0.0: 3, 1.0: 9}
    assert len(data.report) == 80


def test_training_cap_leaves_validation_and_report_alone(write, reviews):
    path = str(write("a.csv", reviews(200)))
    full, capped = load(path), load(path, DataOptions(train_rows=20))
    assert (full.validation, full.report) == (capped.validation, capped.report)
    assert set(capped.train.texts) < set(full.train.texts)


def test_every_class_is_in_training_and_twice_in_validation(write, reviews):
    records = reviews(200, labels=("common",)) + reviews(4, labels=("rare",), prefix="rare")
    folder = write("set/train.jsonl", records).parent
    write("set/test.jsonl", reviews(20, labels=("common",), prefix="test"))
    data = load(str(folder))
    assert Counter(data.validation.labels)[1.0] == 2
    assert Counter(data.train.labels)[1.0] == 2


def test_same_seed_same_data(write, reviews):
    path = str(write("a.csv", reviews(100)))
    assert load(path) == load(path)
    other = load(path, DataOptions(seed=1))
    assert other.digest != load(path).digest
    assert set(other.report.texts) != set(load(path).report.texts)


def test_digest_follows_the_content_and_not_the_place(write, reviews):
    first = load(str(write("a.csv", reviews(100))))
    assert load(str(write("other/b.jsonl", reviews(100)))).digest == first.digest
    changed = reviews(100)
    changed[3]["text"] += "!"
    assert load(str(write("a.csv", changed))).digest != first.digest
    relabelled = reviews(100)
    relabelled[3]["label"], relabelled[4]["label"] = "bad", "good"
    assert load(str(write("a.csv", relabelled))).digest != first.digest


def test_few_missing_labels_and_texts_are_dropped_with_a_note(write, reviews):
    records = reviews(100)
    for i in (1, 2, 3, 4):
        records[i]["label"] = None
    records[50]["text"] = "  "
    data = load(str(write("a.jsonl", records)))
    assert len(texts(data.train, data.validation, data.report)) == 95
    assert noted(data, "without a label")
    assert noted(data, "without a text")


def test_text_of_numbers_and_lone_surrogates(write, reviews):
    records = reviews(40)
    records[0]["text"], records[1]["text"] = 12.5, "broken \ud800 half"
    data = load(str(write("a.jsonl", records)))
    every = texts(data.train, data.validation, data.report)
    assert ("12.5",) in every
    assert ("broken ? half",) in every


# --- Refused ----------------------------------------------------------------------------------


def refused(source, part, **options):
    with pytest.raises(UsageError) as caught:
        load(str(source), DataOptions(**options))
    assert part in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "source", ["no.csv", "./no", "/no/such/folder", "data/", "a/b/c", "", " ", "a\0.csv"]
)
def test_missing_file(source):
    refused(source, "There is no file or folder")


@pytest.mark.parametrize("source", ["x" * 5000 + ".csv", "~no-such-user-here/a.csv"])
def test_path_that_cannot_be_looked_up(source):
    refused(source, "cannot be opened")


def test_folder_without_a_train_file(write, reviews):
    refused(write("set/test.csv", reviews(30)).parent, "no train file, but test.csv")


def test_empty_folder(tmp_path):
    refused(tmp_path, "no train file, but nothing")


def test_two_files_of_one_role(write, reviews):
    folder = write("set/train.csv", reviews(30)).parent
    write("set/train.jsonl", reviews(30))
    refused(folder, "two train files, `train.csv` and `train.jsonl`")


def test_empty_split(write, reviews):
    folder = write("set/train.csv", reviews(30)).parent
    (folder / "test.csv").write_text("text,label\n")
    refused(folder, "test.csv` has no rows")


def test_wrong_column(write, reviews):
    path = write("a.csv", reviews(30))
    refused(path, "no column `body`", text=("body",))
    refused(path, "no column `kind`", label="kind")


def test_test_file_without_the_text_column(write, reviews):
    folder = write("set/train.csv", reviews(30)).parent
    write("set/test.csv", [{"body": "a", "label": "bad"}])
    refused(folder, "test.csv` has no column `text`")


def test_only_one_class(write, reviews):
    refused(write("a.csv", reviews(30, labels=("x",))), "only one value, `x`")


def test_all_texts_empty(write, reviews):
    refused(write("a.csv", [{**r, "text": " "} for r in reviews(30)]), "Every text")


def test_texts_that_are_lists(write, reviews):
    refused(
        write("a.jsonl", [{**r, "text": ["a", "b"]} for r in reviews(30)]), "list values, not texts"
    )


def test_too_few_rows(write, reviews):
    refused(write("a.csv", reviews(19)), "only 19 different rows")


def test_too_few_different_rows(write, reviews):
    refused(write("a.csv", reviews(10) * 5), "only 10 different rows")


def test_training_rows_all_in_the_test_file(write, reviews):
    folder = write("set/train.csv", reviews(40)).parent
    write("set/test.csv", reviews(40))
    refused(folder, "only 0 different rows")


def test_class_whose_rows_are_all_in_the_test_file(write, reviews):
    rare = reviews(3, labels=("rare",), prefix="rare")
    folder = write("set/train.csv", reviews(40) + rare).parent
    write("set/test.csv", reviews(10, prefix="test") + rare)
    refused(folder, "Every row of class `rare`")


def test_many_missing_labels(write, reviews):
    records = [{**r, "label": None if i < 5 else r["label"]} for i, r in enumerate(reviews(100))]
    refused(write("a.jsonl", records), "5 of 100 rows")


def test_label_only_in_the_test_file(write, reviews):
    folder = write("set/train.csv", reviews(40)).parent
    write("set/test.csv", reviews(9, labels=("good", "bad", "ugly"), prefix="test"))
    refused(folder, "`ugly` is in 3 rows")


def test_too_many_classes(write, reviews):
    refused(write("a.csv", reviews(30, labels=[f"id {i}" for i in range(30)])), "30 classes")


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"task": "translation"}, "no task `translation`"),
        ({"validation_rows": 1}, "`1` validation rows"),
        ({"train_rows": -1}, "`-1`"),
        ({"text": ("a", "b", "c")}, "one or two"),
        ({"text": ("a", "a")}, "one or two"),
        ({"text": ("a",), "label": "a"}, "both"),
    ],
)
def test_impossible_options(options, part):
    with pytest.raises(UsageError, match=part):
        DataOptions(**options)

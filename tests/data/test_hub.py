"""Names on the Hub, with the library's loader replaced."""

from __future__ import annotations

import pytest

from autopeft.data import DataOptions, load
from autopeft.errors import MissingError, UsageError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def hub(monkeypatch):
    """Replaces `datasets.load_dataset`; gives what it was asked for."""
    asked = []

    def install(result):
        def load_dataset(identifier, config=None):
            asked.append((identifier, config, datasets.config.HF_HUB_OFFLINE))
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    return install


def split(rows, prefix, labels):
    features = datasets.Features(
        sentence=datasets.Value("string"),
        label=datasets.ClassLabel(names=["world", "business", "unused"]),
        tokens=datasets.List(datasets.Value("string")),
    )
    data = {
        "sentence": [f"{prefix} {i}" for i in range(rows)],
        "label": [labels[i % len(labels)] for i in range(rows)],
        "tokens": [["a"]] * rows,
    }
    return datasets.Dataset.from_dict(data, features)


def test_declared_classes_and_an_unlabelled_test_split(hub):
    asked = hub(
        {
            "train": split(40, "train", (0, 1)),
            "validation": split(10, "dev", (0, 1)),
            "test": split(10, "test", (-1,)),
        }
    )
    before = datasets.config.HF_HUB_OFFLINE
    data = load("owner/news:small", DataOptions(offline=True))
    assert asked == [("owner/news", "small", True)]
    assert before == datasets.config.HF_HUB_OFFLINE
    assert data.classes == ("world", "business")
    assert data.report.texts[0] == ("dev 0",)


def test_the_only_split_is_the_training_split(hub):
    hub({"all": split(40, "row", (0, 1))})
    assert len(load("owner/news", DataOptions(offline=True)).report) == 8


def test_no_training_split(hub):
    hub({"a": split(4, "a", (0, 1)), "b": split(4, "b", (0, 1))})
    with pytest.raises(UsageError, match="no split `train`, but `a, b`"):
        load("owner/news", DataOptions(offline=True))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionError("Couldn't reach 'x' on the Hub"), MissingError),
        (datasets.exceptions.DatasetNotFoundError("Dataset 'x' doesn't exist"), UsageError),
        (ValueError("Config name is missing.\nPlease pick one"), UsageError),
        (RuntimeError("Dataset scripts are no longer supported"), UsageError),
    ],
)
def test_failures(hub, error, kind):
    hub(error)
    with pytest.raises(kind) as caught:
        load("owner/x", DataOptions(offline=True))
    assert "owner/x" in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("source", ["a b", "owner/name:", "csv", "json"])
def test_names_that_are_none(source):
    with pytest.raises(UsageError, match="neither a file"):
        load(source, DataOptions(offline=True))


def test_offline_without_a_cache():
    with pytest.raises(MissingError) as caught:
        load("nobody/never-published-0", DataOptions(offline=True))
    assert caught.value.exit_code == 4

"""Classes: the text as it stands, the same in training, prediction and certificate."""

import json

import numpy as np
import pytest
from variants import with_long

pytest.importorskip("skops", reason="needs cvxnn[cli]")

from cvxnn.cli.labels import among, merged, merging, same_number


@pytest.mark.parametrize(
    ("style", "one", "other"),
    [
        ("point", "1", "1.0"), ("point", "1.", "1"), ("point", "-1", "-1.00"), ("point", "0", "-0"),
        ("point", "2.5", "2.50"), ("comma", "2,5", "2,500"), ("grouped", "3", "3.0"),
    ],
)  # fmt: skip
def test_equal_plain_numbers_are_the_same(style, one, other):
    assert same_number(one, style) == same_number(other, style)


@pytest.mark.parametrize(
    ("style", "label"),
    [
        ("point", "01"), ("point", "+1"), ("point", "1%"), ("point", "$1"), ("point", "1e0"),
        ("point", "1,0"), ("comma", "1.0"), ("comma", "1.000"), ("grouped", "1,000"),
        ("point", "x"), ("point", "1 "), ("point", "\u0661"),
    ],
)  # fmt: skip
def test_other_labels_are_themselves(style, label):
    assert same_number(label, style) == label


def test_a_class_has_its_shortest_name_and_the_others_are_said():
    classes = merged(["1.00", "1.0", "a", "3.0", "2", "2.0", "2.00"], "point")
    assert classes["1.00"] == classes["1.0"] == "1.0" and classes["3.0"] == "3.0"
    assert merging("y", classes) == [
        "'y' has numbers in several ways: '2.0' as '2', '1.00' as '1.0', '2.00' as '2'."
    ]
    classes["2.000"] = "2"
    assert merging("y", classes)[0].endswith("'2.00' as '2' and 1 more.")
    assert merging("y", merged(["a", "b"], "point")) == []


def test_labels_of_another_table_are_written_as_the_classes():
    assert among(np.array(["1,0", "2,5"]), "comma", ["1", "2.5"], "point").tolist() == ["1", "2.5"]
    # A longer name than any of the table is not cut.
    assert among(np.array(["1", "x"]), "point", ["1.0000"], "point").tolist() == ["1.0000", "x"]


def table(path, labels):
    rows = "".join(f"{i % 7},{labels[i % len(labels)]}\n" for i in range(24))
    path.write_text("a,y\n" + rows)
    return path


@with_long(
    ("labels", "others"),
    [
        (["1%", "1 %", "2%"], ["1%", "1 %", "2%"]),
        (["1", "1.0", "0"], ["1.0", "1.0", "0.0"]),
        (["1.0", "1.0", "0.0"], ["1", "1.0", "0"]),
        (["1,0", "1,0", "0,5"], ["1.0", "1.0", "0.5"]),
    ],
    always=2,
)
def test_predict_and_certify_read_labels_as_fit_did(run, tmp_path, labels, others):
    quoted = [f'"{label}"' for label in labels]
    data, out = table(tmp_path / "data.csv", quoted), tmp_path / "m.skops"
    options = ("--target", "y", "--task", "classification", "--beta", 1, "--out", out, "--quiet")
    assert run("fit", data, *options).exit_code == 0
    same = json.loads(run("predict", out, data, "--json").stdout)
    truth = [labels[i % len(labels)] for i in range(24)]
    # By hand: a class of the model, or another way to write the same number.
    names = {label: label for label in labels} | {"1.0": "1"} if "1" in labels else {}
    right = [
        label == names.get(text, text)
        for label, text in zip(same["predictions"], truth, strict=True)
    ]
    assert same["scores"]["accuracy"] == np.mean(right) > 0.0
    new = table(tmp_path / "new.csv", others)
    assert json.loads(run("predict", out, new, "--json").stdout)["scores"] == same["scores"]
    if len(set(labels)) > 2 and labels[0] != "1":
        # Three classes have a network each.
        return
    found = [json.loads(run("certify", out, path, "--json").stdout) for path in (data, new)]
    assert found[0]["verdict"] == found[1]["verdict"] == "OPTIMAL"
    assert found[0]["objective"] == found[1]["objective"]

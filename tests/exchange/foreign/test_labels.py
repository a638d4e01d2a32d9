"""Labels of classifiers as the targets of their losses."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sentences import refused

from cvxnn.errors import InputError
from cvxnn.exchange.foreign.labels import Columns, Signs
from cvxnn.losses import SoftmaxLoss

KINDS = Columns(("a", "b", "c"))


def test_columns_are_in_the_order_of_the_classes():
    expected = np.eye(3)[[2, 0, 0, 1]]
    for y in (["c", "a", "a", "b"], [["c"], ["a"], ["a"], ["b"]]):
        assert np.array_equal(KINDS.target(y, 4), expected)
    numbers = Columns((-1, 0, 5))
    assert np.array_equal(numbers.target(np.array([5.0, -1.0, -1.0, 0.0]), 4), expected)


def test_columns_of_numbers_are_taken_as_they_are():
    shares = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    assert np.array_equal(KINDS.target(shares, 2), shares)
    assert np.array_equal(KINDS.target(shares.tolist(), 2), shares)


def test_signs_have_the_shape_of_the_labels():
    answers = Signs(("no", "yes"))
    assert answers.target(["yes", "no"], 2).tolist() == [1.0, -1.0]
    assert answers.target([["yes", "no"], ["no", "no"]], 2).tolist() == [[1.0, -1.0], [-1.0, -1.0]]
    assert answers.target([["yes"], ["no"]], 2).tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (["a", "d"], "which are 'a', 'b' and 'c', got 'd' at entry 1"),
        (["a", None], "got None at entry 1"),
        ([["a"], ["b", "c"]], "y must be labels, one for each row, got rows of different lengths"),
        (["a"], "y has 1 entry but X has 2 rows"),
        ([["a", "b"], ["b", "a"]], r"of shape \(2,\), or have 3 columns, .* got shape \(2, 2\)"),
        ([["a", "b", "c"]] * 2, "y must be numeric, got dtype <U1"),
        (csr_array(np.eye(3)[:2]), "y must be a dense array"),
        ("a", r"got shape \(\)"),
        ([[np.nan, 0.0, 1.0]] * 2, "y must be finite"),
    ],
    ids=range(9),
)
def test_what_are_no_classes_is_refused(y, words):
    refused(lambda: KINDS.target(y, 2), words)


def test_losses_of_classes():
    for loss in ("softmax", "squared", "huber", SoftmaxLoss()):
        KINDS.check_loss(loss)
    for loss in ("logistic", "squared_hinge", "hinge"):
        refused(lambda loss=loss: KINDS.check_loss(loss), f"got '{loss}', which is for labels -1")
    for labels in (KINDS, Signs((0, 1))):
        with pytest.raises(InputError, match="loss must be one of"):
            labels.check_loss("magic")


def test_notes_name_the_classes():
    assert KINDS.note() == "Its outputs are for the classes a, b, c, in this order."
    assert Signs((0, 1)).note() == "The labels -1 and 1 are its classes 0 and 1."
    assert Columns((0, 1, 2), is_named=False).note() == ""
    many = Columns(tuple(range(20)))
    assert many.note().endswith("10, 11 and 8 more, in this order.")
    refused(lambda: many.target([20], 1), "which are 0, .*, 11 and 8 more, got 20 at entry 0")

"""Every check accepts what it says, and refuses the rest in a sentence that names it."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from cvxnn import validation as checks
from cvxnn.errors import InputError

NAN, INF = float("nan"), float("inf")
SPARSE = sparse.csr_matrix, sparse.coo_array, sparse.dok_matrix


def refuses(check, *args, says, **kwargs):
    """The check raises InputError with one sentence that contains `says`."""
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        check(*args, **kwargs)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message


class FrameLike:
    """What numpy sees of a data frame."""

    def __array__(self, dtype=None, copy=None):
        return np.array([[1, 2.5], [3, 4.5]], dtype=object)


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [3, 4]], ((1.0, 2.0), (3.0, 4.0)), np.array([[1, 2], [3, 4]], dtype=np.int8),
        np.array([[1, 2], [3, 4]], dtype=np.uint64), np.array([[1, 2], [3, 4]], dtype=np.float16),
        np.array([[1, 2], [3, 4]], dtype=np.float32),
        np.array([[1, 2], [3, 4]], dtype=np.longdouble), np.array([[1, 2], [3, 4]], dtype=">f8"),
        np.array([[1, 2], [3, 4]], dtype=object), np.array([[1, 3], [2, 4]], dtype=np.float64).T,
        np.array([[1, 0, 2], [3, 0, 4]], dtype=np.float64)[:, ::2], np.ma.array([[1, 2], [3, 4]]),
        [[Fraction(1), 2], [3, np.int32(4)]],
    ],
    ids=lambda X: str(getattr(X, "dtype", type(X).__name__)),
)  # fmt: skip
def test_data_of_every_kind_becomes_float64(X):
    result = checks.check_data(X)
    assert type(result) is np.ndarray and result.dtype == np.float64 and result.dtype.isnative
    assert result.flags.c_contiguous and result.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_data_booleans_and_frames():
    assert checks.check_data([[True, False]]).tolist() == [[1.0, 0.0]]
    assert checks.check_data(FrameLike()).tolist() == [[1.0, 2.5], [3.0, 4.5]]


def test_data_frame_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]})
    assert checks.check_data(frame).tolist() == [[1.0, 0.5], [2.0, 1.5]]
    refuses(checks.check_data, pandas.DataFrame({"a": ["x"]}), says="X must be numeric")


def test_data_already_right_are_not_copied():
    X = np.ones((3, 2))
    assert checks.check_data(X) is X


@pytest.mark.parametrize(
    ("X", "says"),
    [
        ([["a", "b"]], "X must be numeric, got dtype <U1"),
        ([["1.0", "2.0"]], "X must be numeric"),
        ([[1, "a"]], "X must be numeric"),
        (np.array([[1, "2"]], dtype=object), "X must be numeric, got an entry of type str"),
        ([[1.0, None]], "X must be numeric, got an entry of type NoneType"),
        (None, "X must be numeric, got an entry of type NoneType"),
        ({"a": 1}, "X must be numeric, got an entry of type dict"),
        ([[Decimal(1)]], "X must be numeric, got an entry of type Decimal"),
        (
            np.array([["2020-01-01"]], dtype="datetime64[D]"),
            "X must be numeric, got dtype datetime64",
        ),
        (np.array([[b"x"]]), "X must be numeric"),
        (np.zeros((2, 2), dtype=[("a", float)]), "X must be numeric"),
        ([[1 + 2j]], "X must be real, got complex numbers"),
        ([[1, 2], [3]], "X must be a rectangular array of numbers, got a list"),
        (np.ma.array([[1.0, 2.0]], mask=[[True, False]]), "X must have no masked entries"),
        (3.0, "X must be 2-D, of shape (n, d), got shape ()"),
        ([1.0, 2.0], "X.reshape(-1, 1) for one feature or X.reshape(1, -1) for one row"),
        (np.ones((2, 2, 2)), "X must be 2-D, of shape (n, d), got shape (2, 2, 2)"),
        (np.ones((0, 2)), "X must have at least one row and one column, got shape (0, 2)"),
        (np.ones((2, 0)), "X must have at least one row and one column, got shape (2, 0)"),
        ([[]], "X must have at least one row and one column, got shape (1, 0)"),
        ([[0, 0], [0, NAN]], "got 1 NaN or infinite entry, the first at row 1, column 1"),
        ([[0, INF], [-INF, NAN]], "got 3 NaN or infinite entries, the first at row 0, column 1"),
        ([[1, 2], [-1e101, 1e102]], "got 1e+102 at row 1, column 1; rescale X"),
        ([[0, -1e101]], "X must have no entry beyond 1e+100 in magnitude, got -1e+101"),
        ([[10**400]], "X must fit into float64, got larger integers; rescale X"),
    ],
)
def test_data_refused(X, says):
    refuses(checks.check_data, X, says=says)


class OnAnotherDevice:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("copy it to the host first")


LARGEST = np.finfo(np.longdouble).max
OTHERS = [
    *((checks.check_data, (kind(np.eye(2)),), "convert it with X.toarray()") for kind in SPARSE),
    (checks.check_data, (OnAnotherDevice(),), "got a OnAnotherDevice"),
    (checks.check_data, ([1.0], "data"), "data must be 2-D"),
    (checks.check_data, ([1.0], "data"), "data.reshape(-1, 1)"),
    (checks.check_target, ([1, 2], 1), "y has 2 entries but X has 1 row."),
]


@pytest.mark.parametrize(("check", "arguments", "says"), OTHERS)
def test_others_refused(check, arguments, says):
    refuses(check, *arguments, says=says)


@pytest.mark.skipif(float(np.finfo(float).max) == LARGEST, reason="longdouble is float64 here")
def test_longdouble_beyond_float64_is_infinite_without_a_warning():
    refuses(checks.check_data, np.array([[LARGEST]]), says="X must be finite")


def test_largest_entry_itself_is_accepted_and_its_square_is_finite():
    X = checks.check_data([[checks.LARGEST_ENTRY, -checks.LARGEST_ENTRY]])
    assert np.isfinite(X @ X.T).all()


@pytest.mark.parametrize(
    "y", [[1, 2, 3], [[1], [2], [3]], np.array([1, 2, 3], dtype=np.float32), (1.0, 2.0, 3.0)]
)
def test_target_becomes_a_vector(y):
    result = checks.check_target(y, 3)
    assert result.dtype == np.float64 and result.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (["a", "b", "c"], "y must be numeric"),
        ([1j, 2, 3], "y must be real"),
        ([1.0, 2.0], "y has 2 entries but X has 3 rows"),
        ([1.0], "y has 1 entry but X has 3 rows"),
        ([], "y has 0 entries but X has 3 rows"),
        ([[1], [2]], "y has 2 entries but X has 3 rows"),
        (1.0, "y must be 1-D, of shape (3,), got shape ()"),
        ([[1.0, 2.0, 3.0]], "y must be 1-D, of shape (3,), got shape (1, 3)"),
        ([1.0, NAN, NAN], "got 2 NaN or infinite entries, the first at entry 1"),
        ([1.0, 2.0, 1e200], "y must have no entry beyond 1e+100 in magnitude"),
        (sparse.coo_array(np.ones((3, 1))), "y.toarray()"),
    ],
)
def test_target_refused(y, says):
    refuses(checks.check_target, y, 3, says=says)


@pytest.mark.parametrize(
    "value", [1, 1.0, 5e-324, 1e308, np.float32(1), np.float64(2), np.int64(3), Fraction(1, 3)]
)
def test_positive_accepts(value):
    result = checks.check_positive(value, "beta")
    assert type(result) is float and result == float(value)


@pytest.mark.parametrize(("value", "minimum"), [(1, 1), (np.int64(5), 5), (0, 0), (10**30, 1)])
def test_count_accepts(value, minimum):
    result = checks.check_count(value, "max_iter", minimum)
    assert type(result) is int and result == value


def test_an_integer_beyond_float64_is_no_finite_number():
    refuses(checks.check_number, 10**400, "slope", says="slope must be a finite number, got ")


def test_optional_positive_and_choice_accept():
    assert checks.check_optional_positive(None, "time_limit") is None
    assert checks.check_optional_positive(np.int64(2), "time_limit") == 2.0
    assert checks.check_choice("sampled", "method", METHODS) == "sampled"


METHODS = ("exact", "sampled")
NO_NUMBERS = [0, -1, 0.0, -0.0, NAN, INF, -INF, True, np.True_, None, "1", [1.0], 1j, 10**400]
NO_NUMBERS += [Fraction(1, 10**400), np.ones(1), np.array(1.0), Decimal(1)]
NO_COUNTS = [0, -3, 1.0, 2.5, True, np.True_, None, "3", NAN, np.ones(1)]
REFUSED = [
    (checks.check_positive, NO_NUMBERS, ("beta",), "beta must be a finite number above 0, got "),
    (checks.check_positive, [np.ones(1000)], ("beta",), "got a value of type ndarray."),
    (checks.check_optional_positive, [-1], ("t",), "t must be None or a finite number above 0"),
    (checks.check_count, NO_COUNTS, ("n",), "n must be an integer of at least 1, got "),
    (
        checks.check_choice, ["Exact", "", None, 3, ["exact"]], ("method", METHODS),
        "method must be one of 'exact', 'sampled'",
    ),
    (
        checks.check_random_state, [-1, 1.5, True, "0", [1], np.random], (),
        "random_state must be None, an integer of at least 0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("check", "values", "arguments", "says"), REFUSED)
def test_settings_refused(check, values, arguments, says):
    for value in values:
        refuses(check, value, *arguments, says=says)


@given(st.integers(0, 2**64))
def test_random_state_of_a_seed_is_that_of_numpy(seed):
    expected = np.random.default_rng(seed).random(3)
    assert checks.check_random_state(seed).random(3).tolist() == expected.tolist()


def test_random_state_of_generators():
    generator = np.random.default_rng(0)
    assert checks.check_random_state(generator) is generator
    assert checks.check_random_state(np.int64(3)).random() == np.random.default_rng(3).random()
    first, second = (checks.check_random_state(np.random.RandomState(5)).random() for _ in range(2))
    assert first == second
    legacy = np.random.RandomState(5)
    assert checks.check_random_state(legacy).random() != checks.check_random_state(legacy).random()
    assert checks.check_random_state(None).random() != checks.check_random_state(None).random()


def test_real_array_keeps_any_shape_and_lets_nan_pass():
    assert checks.as_real_array(3, "x").shape == ()
    assert checks.as_real_array(np.ones((2, 0, 3)), "x").shape == (2, 0, 3)
    assert np.isnan(checks.as_real_array([NAN], "x")).all()


def test_finite_says_nothing_about_finite_arrays():
    assert checks.check_finite(np.array([1e308, -1e308]), "x") is None
    assert checks.check_finite(np.empty((0, 2)), "x") is None


def test_a_column_of_a_data_frame_is_named_with_what_to_do():
    pandas = pytest.importorskip("pandas")
    words = pandas.DataFrame({"size": [1.0, 2.0], "city": ["Bonn", "Ulm"]})
    gaps = pandas.DataFrame({"size": [1.0, 2.0], "rooms": [3.0, np.nan]})
    with pytest.raises(InputError, match=r"type str in column 'city'; encode words .*OneHotEnc"):
        checks.check_data(words)
    with pytest.raises(InputError, match=r"row 1, column 1 \('rooms'\); fill gaps, as .*Simple"):
        checks.check_data(gaps)
    # What is infinite is no gap.
    with pytest.raises(InputError, match=r"row 0, column 0\.$"):
        checks.check_data([[np.inf]])
    with pytest.raises(InputError, match="labels are for ConvexReLUClassifier"):
        checks.check_target(["yes", "no"], 2)

"""What `solve` refuses, the estimators refuse in the same sentence, and nothing is read as numbers
that is none."""

import numpy as np
import pytest
from scipy import sparse
from variants import with_long

import cvxnn
from cvxnn.errors import InputError
from cvxnn.estimators.inputs import check_labels

X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0], [4.0, 3.0], [1.0, 1.0], [3.0, 2.0]])
Y = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
MASK = np.arange(12).reshape(6, 2) == 3
DAYS = np.arange("2020-01-01", "2020-01-07", dtype="datetime64[D]")
QUICK = {"method": cvxnn.Sampled(5), "max_iter": 5}
MODELS = [
    cvxnn.ConvexReLURegressor(**QUICK),
    cvxnn.ConvexReLUClassifier(**QUICK),
    cvxnn.ConvexReLURegressorCV(betas=[0.2], cv=2, **QUICK),
    cvxnn.ConvexReLUClassifierCV(betas=[0.2], cv=2, **QUICK),
    cvxnn.ConvexReLURegressor(model=cvxnn.Conv(2), **QUICK),
    cvxnn.ConvexReLUClassifier(model=cvxnn.Conv(2), **QUICK),
]
REGRESSORS = MODELS[::2]
each_model = pytest.mark.parametrize("model", MODELS, ids=str)
# With cross-validation and with filters it is the same.
each_model_with_long = with_long("model", MODELS, ids=str)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def changed(value):
    table = X.astype(object)
    table[1, 1] = value
    return table


def tables():
    pandas = pytest.importorskip("pandas")
    return {
        "dates": pandas.DataFrame({"a": X[:, 0], "b": pandas.to_datetime(DAYS)}),
        "only dates": pandas.DataFrame({"a": pandas.to_datetime(DAYS)}),
        "spans": pandas.DataFrame({"a": X[:, 0], "b": pandas.to_timedelta(X[:, 1], unit="D")}),
        "text": pandas.DataFrame({"a": X[:, 0], "b": list("123456")}),
        "categories": pandas.DataFrame({"a": pandas.Categorical(list("xyxyxy"))}),
        "missing integer": pandas.DataFrame(
            {"a": pandas.array([1, 2, None, 4, 5, 6], dtype="Int64"), "b": X[:, 0]}
        ),
        "missing number": pandas.DataFrame(
            {"a": pandas.array([1.5, 2, None, 4, 5, 6], dtype="Float64")}
        ),
        "missing boolean": pandas.DataFrame(
            {"a": pandas.array([True, False, None, True, True, True], dtype="boolean")}
        ),
    }


ARRAYS = {
    "masked": np.ma.array(X, mask=MASK), "list of masked rows": list(np.ma.array(X, mask=MASK)),
    "dates": np.column_stack([DAYS, DAYS]), "spans": np.column_stack([DAYS, DAYS]) - DAYS[0],
    "span among numbers": changed(np.timedelta64(3, "D")), "complex": X + 0j, "text": X.astype(str),
    "number as text": changed("1.0"), "None": changed(None), "NaN": np.where(MASK, np.nan, X),
    "infinite": np.where(MASK, -np.inf, X), "too large": np.where(MASK, 1e101, X),
    "too small": np.where(MASK, 1e-101, X), "larger than float64": changed(10**400),
    "sparse": sparse.csr_array(X), "ragged": [[1.0], [2.0, 3.0]], "a name": "data.csv",
    "nothing": None,
}  # fmt: skip


def sentence(call):
    with pytest.raises(InputError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


def of_solve(data=X, target=Y, weights=None):
    return sentence(lambda: cvxnn.solve(data, target, 1.0, sample_weight=weights))


@each_model
def test_arrays_are_refused_as_by_solve(model):
    for name, data in ARRAYS.items():
        assert sentence(lambda data=data: model.fit(data, Y)) == of_solve(data), name


@each_model
def test_tables_are_refused_as_by_solve(model):
    for table in tables().values():
        assert sentence(lambda table=table: model.fit(table, Y)) == of_solve(table)


@each_model_with_long
def test_predictions_are_for_the_same_data(model):
    model.fit(X, Y)
    for name, data in ARRAYS.items():
        assert sentence(lambda data=data: model.predict(data)) == of_solve(data), name


@each_model_with_long
def test_whatever_is_a_number_is_data(model):
    pandas = pytest.importorskip("pandas")
    expected = model.fit(X, Y).predict(X)
    integers = pandas.DataFrame(
        {"a": pandas.array(X[:, 0], dtype="Int64"), "b": pandas.array(X[:, 1], dtype="Float64")}
    )
    for data in (np.ma.array(X), np.ma.array(X, mask=np.zeros_like(MASK)), X.astype(object)):
        np.testing.assert_array_equal(model.fit(data, np.ma.array(Y)).predict(data), expected)
    np.testing.assert_array_equal(model.fit(integers, Y).predict(integers), expected)
    flags = pandas.DataFrame({"a": X[:, 0] > 1.0, "b": pandas.array(X[:, 1] > 1, dtype="boolean")})
    one = model.fit(flags, Y).predict(flags)
    numbers = (X > 1.0).astype(float)
    np.testing.assert_array_equal(model.fit(numbers, Y).predict(numbers), one)


TARGETS = {
    "masked": np.ma.array(Y, mask=Y < 0.0), "dates": DAYS, "spans": DAYS - DAYS[0],
    "text": Y.astype(str), "text in an array of objects": Y.astype(str).astype(object),
    "NaN": np.where(Y > 0.0, Y, np.nan), "infinite": np.where(Y > 0.0, Y, np.inf),
    "too large": 1e101 * Y, "too small": 1e-101 * Y, "complex": Y + 0j,
    "sparse": sparse.csr_array(Y[:, None]),
}  # fmt: skip


@pytest.mark.parametrize("model", REGRESSORS, ids=str)
def test_targets_are_refused_as_by_solve(model):
    for name, target in TARGETS.items():
        found = sentence(lambda target=target: model.fit(X, target))
        assert found == of_solve(target=target), name


@with_long("model", MODELS[1::2], ids=str)
def test_labels_that_are_masked_or_missing_are_refused(model):
    pandas = pytest.importorskip("pandas")
    text = np.array(list("xyxyxy"))
    for labels, words in (
        (np.ma.array(text, mask=text == "x"), "y must have no masked entries"),
        (np.ma.array(Y, mask=Y < 0.0), "y must have no masked entries"),
        (np.where(Y > 0.0, 1.0, np.nan), "y must be finite, got 3 NaN"),
        ([*text[:5], None], "y must have a label for every row, got None at entry 5"),
        (pandas.array([1, 0, 1, 0, 1, None], dtype="Int64"), "at entry 5"),
        (pandas.Series([*text[:5], np.nan]), "got nan at entry 5"),
        (Y + 0j, "y must be real"),
        (sparse.csr_array(Y[:, None]), "y must be a dense array"),
    ):
        with pytest.raises(InputError, match=words):
            model.fit(X, labels)
    expected = model.fit(X, text).predict(X)
    assert (model.fit(X, np.ma.array(text)).predict(X) == expected).all()
    assert (model.fit(X, pandas.Categorical(text)).predict(X) == expected).all()


@each_model
def test_weights_are_refused_as_by_solve(model):
    for weights in (np.ma.array(np.ones(6), mask=Y < 0.0), DAYS - DAYS[0], -np.ones(6), ["1"] * 6):
        found = sentence(lambda weights=weights: model.fit(X, Y, sample_weight=weights))
        assert found == of_solve(weights=weights)


def test_the_first_entry_is_named_where_the_user_has_it():
    data = X.copy()
    data[4, 1] = 1e200
    with pytest.raises(InputError, match="at row 4, column 1"):
        cvxnn.ConvexReLURegressor().fit(data, Y)
    images = np.ones((3, 4, 4))
    images[2, 1, 3] = np.nan
    with pytest.raises(InputError, match=r"the first at entry \(2, 1, 3\)"):
        cvxnn.ConvexReLURegressor(model="conv").fit(images, Y[:3])


def test_labels_of_every_kind_are_labels():
    for labels in (["a", "b"], [True, False], [1, 2], np.array([1.5, 2.5]), DAYS, None):
        check_labels(labels)


@pytest.mark.parametrize(
    "train",
    [
        lambda data: cvxnn.solve(data, Y, 1.0, model="gated"),
        lambda data: cvxnn.solve(data, Y, 1.0, model=cvxnn.ReLU(0.1)),
        lambda data: cvxnn.solve(data, Y, 1.0, model=cvxnn.Conv(2)),
        lambda data: cvxnn.certify(([[1.0, 1.0]], [1.0]), data, Y, 1.0),
        lambda data: cvxnn.regularization_path(data, Y, 2),
        lambda data: cvxnn.largest_beta(data, Y, model="circular_conv"),
    ],
    ids=["gated", "leaky", "conv", "certify", "regularization_path", "largest_beta"],
)
def test_every_function_refuses_the_same_arrays(train):
    for data in ARRAYS.values():
        assert sentence(lambda data=data: train(data)).replace("images", "X") == of_solve(data)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (cvxnn.ConvexReLURegressor, {"verbose": "x"}, "verbose must be an integer of at least 0"),
        (cvxnn.ConvexReLURegressorCV, {"n_jobs": "2"}, "n_jobs must be an integer other than 0"),
        (cvxnn.ConvexReLURegressorCV, {"n_jobs": 0}, "n_jobs must be an integer other than 0"),
        (cvxnn.ConvexReLURegressorCV, {"betas": "x"}, "betas must be numeric"),
        (cvxnn.ConvexReLURegressor, {"beta": 1e-300}, "beta = 1e-300 is out of all proportion"),
        (cvxnn.ConvexReLUClassifier, {"beta": 1e-300}, "beta = 1e-300 is out of all proportion"),
        (cvxnn.ConvexReLURegressorCV, {"betas": [1.0, 1e-300]}, "1e-300 is out of all proportion"),
    ],
)
def test_settings_are_refused_before_any_training(kind, settings, words, monkeypatch):
    monkeypatch.setattr(kind, "_choose_beta", None)
    with pytest.raises(ValueError, match=words):
        kind(**settings).fit(np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 1, 0])

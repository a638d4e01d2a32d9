"""Files of models with their columns: what comes back, and what is refused."""

import os
import warnings
import zipfile
from copy import copy
from dataclasses import replace
from decimal import Decimal
from io import BytesIO

import numpy as np
import pytest
from variants import with_long

pytest.importorskip("skops", reason="needs cvxnn[cli]")

import skops.io
from people import people
from sklearn.pipeline import Pipeline

from cvxnn.cli.cells import Cells
from cvxnn.cli.columns import Kind, Wishes, features, planned
from cvxnn.cli.encoder import encoder
from cvxnn.cli.sources import Source
from cvxnn.cli.table_models import TRUSTED, TableModel, load_table_model
from cvxnn.cli.targets import read_target
from cvxnn.errors import InputError, ModelFileError
from cvxnn.estimators import (
    ConvexReLUClassifier,
    ConvexReLUClassifierCV,
    ConvexReLURegressor,
    ConvexReLURegressorCV,
)


def cells(n=24, extra=None):
    """The people, with a column more if one is given."""
    lines = people(n).splitlines()
    if extra is not None:
        words = ["extra", *map(extra, range(n))]
        lines = [f"{line},{word}" for line, word in zip(lines, words, strict=True)]
    return Cells.read(
        Source("people.csv", "\n".join(lines) + "\n"), text=["income"], targets=["rich"]
    )


def trained(estimator, target, table, drop):
    columns = planned(table, [target], Wishes(drop=drop))
    frame, _ = features(table, columns)
    found = read_target(table, target, None, None)
    pipeline = Pipeline([("columns", encoder(columns)), ("network", estimator)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(frame, found.values)
    return TableModel(
        pipeline, tuple(columns), target, found.task, found.loss, found.style, {"beta": 10.0}
    )


@pytest.fixture(scope="module")
def small():
    """A classifier of two columns."""
    return trained(ConvexReLUClassifier(1.0), "rich", cells(), ["born", "job", "income"])


@pytest.fixture
def path(small, tmp_path):
    small.save(tmp_path / "m.skops")
    return tmp_path / "m.skops"


CV = {"betas": [20.0, 10.0], "cv": 2}


@with_long(
    ("estimator", "target"),
    [
        (ConvexReLURegressor(10.0), "income"),
        (ConvexReLUClassifierCV(**CV), "job"),
        (ConvexReLURegressorCV(**CV), "income"),
        (ConvexReLUClassifier(1.0), "rich"),
    ],
    always=2,
    ids=lambda value: type(value[0]).__name__,
)
def test_models_come_back(estimator, target, tmp_path):
    table, path = cells(), tmp_path / "m.skops"
    other = {"income": ["rich"], "rich": ["income"], "job": ["city", "rich"]}[target]
    if target == "job":
        table = table.rows(table.frame["job"].notna().to_numpy())
    model = trained(estimator, target, table, {"born", "job", *other} - {target})
    model.save(path)
    found = load_table_model(path)
    encoded, notes = found.encoded(table)
    assert notes == [] and np.array_equal(encoded, model.encoded(table)[0])
    assert np.array_equal(found.predict(encoded), model.predict(encoded))
    assert (found.columns, found.target, found.task) == (model.columns, target, model.task)
    assert (found.figures, found.classes) == ({"beta": 10.0}, model.classes)
    if target == "income":
        with pytest.raises(InputError, match="has no probabilities"):
            found.probabilities(encoded)
    else:
        chances = found.probabilities(encoded)
        assert np.array_equal(chances, model.probabilities(encoded))
        best = np.array(found.classes)[chances.argmax(axis=1)]
        assert np.array_equal(best, found.predict(encoded))


def test_dates_and_texts_come_back(tmp_path):
    pytest.importorskip("skrub")
    table, path = cells(60, extra=lambda i: f"Ann {i % 50}"), tmp_path / "m.skops"
    # No neuron is worth so much: nothing is to be trained here.
    model = trained(ConvexReLURegressor(1e12), "income", table, ["rich"])
    kinds = {column.name: column.kind for column in model.columns}
    assert (kinds["born"], kinds["extra"]) == (Kind.DATE, Kind.TEXT)
    model.save(path)
    found = load_table_model(path)
    assert np.array_equal(found.encoded(table)[0], model.encoded(table)[0])
    # Cells that are missing, and such as were in no row.
    table.frame.loc[0, ["born", "extra", "job"]] = None
    table.frame.loc[1, ["born", "extra", "job"]] = ["some day", "Zoe", "Paris"]
    for some in (table, table.rows(np.arange(1))):
        encoded, notes = found.encoded(some)
        assert np.isfinite(encoded).all()
        assert len(notes) == 2 * (len(some.lines) // 60)
    assert found.encoded(table)[1] == [
        "column 'born' has 1 cell without a date, as 'some day' in line 3, taken as missing.",
        "column 'job' has 1 cell with a value that was not in the training data, as 'Paris'.",
    ]


@with_long("zone", ["", "Z", "+02:00"])
def test_times_come_back(tmp_path, zone):
    pytest.importorskip("skrub")
    table, path = (
        cells(extra=lambda i: f"2020-03-{1 + i:02d}T10:{2 * i:02d}:00{zone}"),
        tmp_path / "m.skops",
    )
    model = trained(ConvexReLURegressor(1e12), "income", table, ["rich", "born"])
    assert {column.name: column.kind for column in model.columns}["extra"] is Kind.DATE
    model.save(path)
    found = load_table_model(path)
    assert np.array_equal(found.encoded(table)[0], model.encoded(table)[0])


def test_a_file_that_nobody_could_read_is_not_written(small, tmp_path):
    with pytest.raises(AssertionError, match="not listed"):
        replace(small, figures={"beta": Decimal(1)}).save(tmp_path / "m.skops")
    assert list(tmp_path.iterdir()) == []


def test_the_types_of_a_file_are_those_that_are_listed(path):
    assert set(skops.io.get_untrusted_types(file=path)) <= set(TRUSTED)


class Evil:
    def __reduce__(self):
        return os.system, ("echo evil",)

    def __setstate__(self, state):
        raise AssertionError("code of the file runs")


@pytest.mark.parametrize(
    "content", [Evil(), os.system, zipfile.ZipFile], ids=["object", "function", "type"]
)
def test_other_types_are_refused(tmp_path, content):
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps({"format": 1, "pipeline": content}))
    with pytest.raises(ModelFileError, match="types that are none of a model of cvxnn"):
        load_table_model(path)


def test_a_pickle_is_no_model(tmp_path):
    import pickle

    path = tmp_path / "m.skops"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelFileError, match="is damaged, or not a model"):
        load_table_model(path)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ([1, 2], "is not a model that 'cvxnn fit' wrote"),
        ({"pipeline": 1, "format": 2}, "has format 2 of models, and this cvxnn reads 1"),
        ({"pipeline": 1, "format": 1}, "is damaged, or not a model"),
    ],
)
def test_other_contents_are_refused(tmp_path, state, sentence):
    path = tmp_path / "m.skops"
    path.write_bytes(skops.io.dumps(state))
    with pytest.raises(ModelFileError, match=sentence):
        load_table_model(path)


def test_damaged_files_are_refused(path):
    content = path.read_bytes()
    for part in (content[:-40], content[: len(content) // 2], b"", b"PK"):
        path.write_bytes(part)
        with pytest.raises(ModelFileError, match="is damaged, or not a model"):
            load_table_model(path)
    path.write_bytes(without(content, "schema.json"))
    with pytest.raises(ModelFileError, match="is damaged, or not a model"):
        load_table_model(path)


@pytest.mark.parametrize(
    "name",
    [
        "target_scale", "target_centre", "centre", "scale", "scaling_", "networks_", "_inputs",
        "classes_", "n_features_in_", "hidden_bias", "loss", "statistics_", "categories_",
        "transformers_", "intercept", "columns", "figures", "style",
    ],
)  # fmt: skip
def test_a_file_that_lacks_an_attribute_is_damaged(path, name):
    content, member = path.read_bytes(), "schema.json"
    with zipfile.ZipFile(BytesIO(content)) as archive:
        schema = archive.read(member).decode()
    assert f'"{name}"' in schema
    path.write_bytes(without(content, member, schema.replace(f'"{name}"', f'"{name}x"')))
    with pytest.raises(ModelFileError, match="is damaged, or not a model"):
        load_table_model(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target_scale", 0.0), ("target_scale", "much"), ("target_centre", np.nan),
        ("scale", np.zeros(3)), ("scale", 1.0), ("centre", np.zeros(2)), ("centre", None),
    ],
)  # fmt: skip
def test_units_of_another_kind_are_damage(small, tmp_path, name, value):
    estimator = copy(small.estimator)
    estimator.scaling_ = replace(estimator.scaling_, **{name: value})
    pipeline = Pipeline([small.pipeline.steps[0], ("network", estimator)])
    replace(small, pipeline=pipeline).save(tmp_path / "m.skops")
    with pytest.raises(ModelFileError, match="is damaged, or not a model"):
        load_table_model(tmp_path / "m.skops")


def without(content, name, other=None):
    """An archive without one of its members, or with another text for it."""
    new = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as old, zipfile.ZipFile(new, "w") as archive:
        for member in old.namelist():
            if member != name:
                archive.writestr(member, old.read(member))
        if other is not None:
            archive.writestr(name, other)
    return new.getvalue()


def test_no_file_is_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no such model file"):
        load_table_model(tmp_path / "m.skops")

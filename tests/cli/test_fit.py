"""cvxnn fit, and predict with its models: whole commands on tables of people."""

import contextlib
import csv
import gzip
import io
import json
import signal
from importlib import resources

import numpy as np
import pytest
from variants import with_long

pytest.importorskip("skops", reason="needs cvxnn[cli]")

from people import people

from cvxnn.cli.table_models import load_table_model
from cvxnn.errors import ModelFileError
from cvxnn.results import Status

RING = resources.files("cvxnn") / "data" / "ring.csv"
# Two columns are left, which are trained in no time.
FEW = ("--drop", "born", "--drop", "job", "--drop", "income", "--beta", 2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.csv"
    path.write_text(people())
    return path


@pytest.fixture(scope="module")
def model(run, data):
    """A classifier of city and balance."""
    path = data.with_suffix(".skops")
    result = run("fit", data, "--target", "rich", *FEW, "--out", path, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    return path


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def words(text):
    return " ".join(text.split())


def test_a_classifier_of_text(run, data, tmp_path):
    out = tmp_path / "m.skops"
    options = ("--target", "rich", *FEW, "--holdout", 0.25, "--out", out, "--json")
    result = run("fit", data, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert (found["task"], found["loss"], found["classes"]) == (
        "classification", "logistic", ["no", "yes"],
    )  # fmt: skip
    assert (found["status"], found["beta"], found["beta_by"]) == ("OPTIMAL", 2.0, "given")
    assert found["n_rows"] == 18 and found["holdout"]["n_rows"] == 6
    assert found["holdout"]["accuracy"] >= 0.8 and found["holdout"]["log_loss"] > 0.0
    assert 0.5 <= found["holdout"]["commonest"] < 1.0
    assert 0.0 <= found["holdout"]["linear"] <= 1.0
    assert found["gap"] <= 1e-6 and found["model"] == str(out)
    kinds = {column["name"]: column["kind"] for column in found["columns"]}
    assert kinds == {
        "id": "left out", "born": "left out", "job": "left out", "city": "category",
        "balance": "number", "planet": "left out", "income": "left out",
    }  # fmt: skip


def test_the_page_says_what_was_done(run, data):
    result = run("fit", data, "--target", "rich", *FEW, "--holdout", 0.25)
    lines, page = [words(line) for line in result.stdout.splitlines()], words(result.stdout)
    # City, of two values, and balance, beside which there is a column that says where it is.
    assert lines[0].startswith("people.csv: 24 rows, 2 columns as 3 features -> ")
    assert lines[0].endswith("-> rich (2 classes: no, yes)")
    for line in (
        "id left out another number in every row, and called an id", "born left out as you said",
        "city category 2 values", "planet left out the same in every row",
        "beta 2 as given; logistic loss",
    ):  # fmt: skip
        assert line in lines
    assert any(line.startswith("accuracy 0.") and "6 rows held out" in line for line in lines)
    assert "by the commonest class" in page and "by a linear model" in page
    assert Status.OPTIMAL.value in words(result.stdout)
    assert "proven best: no network of any width" in words(result.stdout)
    assert "Note The model is not kept: --out model.skops" in page and "no score" not in page


def test_what_is_missing_is_said_with_its_option(run, data, tmp_path):
    fit, out = ("fit", data, "--target", "rich", *FEW), ("--out", tmp_path / "m.skops")
    kept, score = "The model is not kept: --out model.skops", "There is no score: --holdout 0.2"
    page = words(run(*fit).stdout)
    assert f"Note {kept}" in page and f"Note {score}" in page
    page = words(run(*fit, *out).stdout)
    assert kept not in page and f"Note {score}" in page
    # Where there is no page, only what makes the run useless; in JSON it is in the record.
    assert run(*fit, "--quiet").stderr.startswith(f"note: {kept}")
    result = run(*fit, "--json")
    found = json.loads(result.stdout)
    assert (result.stderr, found["model"], found["holdout"]) == ("", None, None)


@pytest.mark.long
def test_the_time_is_that_of_training_without_compiling(run, data, monkeypatch):
    monkeypatch.setattr("cvxnn.cli.training.clock", iter([100.0, 103.5]).__next__)
    assert "time 3.50 s of training" in words(run("fit", data, "--target", "rich", *FEW).stdout)


def test_regression_and_its_scores(run, data):
    drop = ("--drop", "born", "--drop", "rich", "--drop", "job")
    options = ("--target", "income", *drop, "--holdout", 0.25, "--beta", 1)
    found = json.loads(run("fit", data, *options, "--json").stdout)
    assert (found["task"], found["loss"], found["classes"]) == ("regression", "squared", None)
    assert found["holdout"]["r2"] > 0.0 and found["holdout"]["rmse"] < 2.0
    again = json.loads(run("fit", data, *options, "--seed", 1, "--json").stdout)
    assert again["holdout"] != found["holdout"]
    page = words(run("fit", data, *options, "--loss", "huber").stdout)
    assert "R2 " in page and "root mean square error, on 6 rows held out" in page
    assert "huber loss" in page and "by a linear model" in page


@pytest.mark.long
def test_a_gap_is_said_in_words_with_what_narrows_it(run, tmp_path, table):
    # More columns than an oracle can take, and more rows.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 9))
    y = np.maximum(X[:, 0], 0.0) + 0.3 * rng.standard_normal(90)
    names = ",".join(f"x{j}" for j in range(9))
    data = table(tmp_path / "wide.csv", f"{names},y", np.column_stack([X, y]))
    out = tmp_path / "a-model-with-a-long-name.skops"
    options = ("--target", "y", "--beta", 0.3, "--proof-time", 0, "--out", out)
    page = run("fit", data, *options).stdout
    assert "Note The gap may narrow with a larger --proof-time. A larger --beta or" in words(page)
    assert Status.STATIONARY.value in words(page) and "says little: the best network" in words(page)
    rows = {line.split()[0]: line for line in page.splitlines() if line.strip()}
    assert rows["model"].index(str(out)) == rows["neurons"].index(rows["neurons"].split()[1])
    found = json.loads(run("fit", data, *options, "--json").stdout)
    assert found["advice"].startswith("The gap may narrow")


def of_counts(path):
    """A table of counts, its lines, and the column that tells them."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(60)
    counts = rng.poisson(np.exp(1.0 + x))
    lines = [f"{a!r},{b}" for a, b in zip(x.tolist(), counts.tolist(), strict=True)]
    path.write_text("\n".join(["x,visits", *lines]))
    return path, lines, x


@pytest.mark.long
def test_cross_validation_of_counts_has_their_score(run, tmp_path):
    table, *_ = of_counts(tmp_path / "counts.csv")
    assert "cv D2" in run("fit", table, "--target", "visits", "--loss", "poisson").stdout


@pytest.mark.long
def test_counts_and_their_scores(run, tmp_path):
    table, lines, x = of_counts(tmp_path / "counts.csv")
    out = tmp_path / "counts.skops"
    options = ("--target", "visits", "--loss", "poisson", "--holdout", 0.25, "--out", out)
    found = json.loads(run("fit", table, *options, "--beta", 1.0, "--json").stdout)
    assert (found["task"], found["loss"]) == ("regression", "poisson")
    assert found["holdout"]["d2"] > 0.5 and "r2" not in found["holdout"]
    predicted = [float(row["prediction"]) for row in rows(run("predict", out, table).stdout)]
    assert min(predicted) > 0.0 and np.corrcoef(np.log(predicted), x)[0, 1] > 0.95
    assert json.loads(run("certify", out, table, "--json").stdout)["loss"] == "poisson"
    lines[3] = f"{x[3]!r},-1"
    table.write_text("\n".join(["x,visits", *lines]))
    refusal = run("fit", table, "--target", "visits", "--loss", "poisson")
    assert refusal.exit_code != 0 and "line 5, column 'visits': '-1' is not a count" in words(
        refusal.stderr
    )


@pytest.mark.long
def test_a_quantile(run, refused, data, tmp_path):
    out, drop = tmp_path / "model.skops", ("--drop", "born", "--drop", "rich", "--drop", "job")
    options = ("--target", "income", *drop, "--beta", 0.5, "--loss", "quantile")
    found = json.loads(run("fit", data, *options, "--quantile", 0.8, "--out", out, "--json").stdout)
    assert (found["loss"], found["status"]) == ("quantile", "OPTIMAL")
    options = (*options, "--quantile", 0.8)
    held = json.loads(run("fit", data, *options, "--holdout", 0.25, "--json").stdout)["holdout"]
    assert 0.0 < held["pinball"] < held["rmse"]
    assert "pinball loss" in run("fit", data, *options, "--holdout", 0.25).stdout
    # With the level of the model, and confirmed by the checker.
    certified = json.loads(run("certify", out, data, "--json").stdout)
    assert certified["verdict"] == "OPTIMAL" and certified["loss"] == "quantile"
    assert "quantile(level=0.8)" in run("verify", out, data).stdout
    assert "--quantile is for --loss quantile" in refused(
        "fit", data, "--target", "income", "--quantile", 0.8
    )
    assert "--quantile must be between 0 and 1" in refused("fit", data, *options, "--quantile", 2)


def test_cross_validation_is_the_default(run, tmp_path):
    lines = people(40).splitlines()
    table = tmp_path / "small.csv"
    # One column with numbers: a proof is as quick as a score.
    table.write_text("\n".join(",".join(line.split(",")[i] for i in (4, 6)) for line in lines))
    out = tmp_path / "m.skops"
    page = run("fit", table, "--target", "income", "--out", out).stdout
    assert "chosen by cross-validation" in page and "cv R2" in page
    found = load_table_model(out).figures
    assert found["beta_by"] == "cv" and found["beta"] > 0.0 and found["cv_score"] > 0.2


@with_long("way", ["semicolons", "tabs", "gzip", "stdin", "mark", "blank"])
def test_ways_of_writing_do_not_matter(run, data, model, tmp_path, way):
    path, text = tmp_path / "data.csv", people()
    if way == "semicolons":
        text = people(separator=";", decimal=",")
    elif way == "tabs":
        text = people(separator="\t")
    elif way == "blank":
        text = text.replace("\n", "\n\n", 7)
    content = (b"\xef\xbb\xbf" if way == "mark" else b"") + text.encode()
    path.write_bytes(gzip.compress(content) if way == "gzip" else content)
    if way == "stdin":
        result = run("predict", model, "-", stdin=content)
    else:
        result = run("predict", model, path)
    assert result.exit_code == 0 and result.stderr.startswith("note: scores on 'rich': accuracy ")
    assert result.stdout == run("predict", model, data).stdout
    if way != "semicolons":
        return
    again = run("fit", path, "--target", "rich", *FEW, "--json")
    beside = run("fit", data, "--target", "rich", *FEW, "--json")
    assert json.loads(again.stdout)["objective"] == json.loads(beside.stdout)["objective"]


def test_predictions_with_probabilities(run, data, model):
    result = run("predict", model, data, "--proba")
    found = rows(result.stdout)
    chances = np.array(
        [[float(row[f"probability of {name}"]) for name in ("no", "yes")] for row in found]
    )
    assert chances.sum(axis=1) == pytest.approx(1.0)
    assert [row["prediction"] for row in found] == [("no", "yes")[k] for k in chances.argmax(1)]
    record = json.loads(run("predict", model, data, "--proba", "--json").stdout)
    assert record["predictions"] == [row["prediction"] for row in found]
    assert record["probabilities"]["yes"] == chances[:, 1].tolist()
    truth = [row["rich"] for row in rows(people())]
    right = np.mean([a == b for a, b in zip(record["predictions"], truth, strict=True)])
    assert record["scores"]["accuracy"] == right >= 0.8 and record["n_rows"] == 24


def test_columns_in_another_order_missing_cells_and_new_categories(run, model, data, tmp_path):
    table, out = tmp_path / "new.csv", tmp_path / "p.csv"
    table.write_text("extra,balance,city\n1,9,Oslo\n2,,Oslo\n3,-9,Paris\n4,tall,\n")
    result = run("predict", model, table, "--out", out)
    assert result.exit_code == 0 and result.stdout == ""
    assert result.stderr.splitlines() == [
        "note: column 'balance' has 1 cell without a number, as 'tall' in line 5, taken as "
        "missing.",
        "note: column 'city' has 1 cell with a value that was not in the training data, as "
        "'Paris'.",
    ]
    found = rows(out.read_text())
    assert len(found) == 4 and found[0]["prediction"] == "yes"
    table.write_text("city,balance\nOslo,9\n")
    assert rows(run("predict", model, table).stdout) == found[:1]


def test_predict_says_what_it_reads_otherwise_than_the_training(run, tmp_path):
    table, out, new = tmp_path / "data.csv", tmp_path / "m.skops", tmp_path / "new.csv"
    table.write_text("a;y\n" + "".join(f"{i % 7 + 1}.190;{i % 5 + 1}.250\n" for i in range(12)))
    options = ("--target", "y", "--beta", 1e4, "--out", out, "--quiet")
    assert run("fit", table, *options).exit_code == 0
    new.write_text("a;b\n2.500;3.5\n")
    assert run("predict", out, new).stderr.splitlines() == [
        "note: column 'a' is read with decimal points, and was with decimal commas in the "
        "training: '2.500' is 2.5, not 2500."
    ]
    new.write_text("a;b\n2.500;3\n")
    assert run("predict", out, new).stderr == ""
    new.write_text("a;y;b\n2;1.250;3.5\n")
    note, score = run("predict", out, new).stderr.splitlines()
    assert note.endswith("'1.250' is 1.25, not 1250.") and "scores on 'y': RMSE " in score


def test_mistakes_in_predictions_are_sentences(refused, run, model, data, tmp_path):
    table, other = tmp_path / "new.csv", tmp_path / "other.skops"
    table.write_text("city,size\nOslo,9\n")
    other.write_bytes(b"PK and nothing of sense")
    assert "has no column 'balance'. Its columns are 'city', 'size'." in refused(
        "predict", model, table
    )
    assert "is damaged, or not a model" in refused("predict", other, data)
    assert "There is no such model file" in refused("predict", tmp_path / "no.skops", data)
    assert "would overwrite an input" in refused("predict", model, data, "--out", data)
    with pytest.raises(ModelFileError):
        load_table_model(other)


@pytest.mark.long
@pytest.mark.parametrize("target", ["rich", "income"])
def test_a_model_is_certified_on_its_table(run, refused, data, tmp_path, target):
    lines, out = people().splitlines(), tmp_path / "m.skops"
    table = tmp_path / "few.csv"
    # One column with numbers: a proof is quick.
    columns = (4, 6 + (target == "rich"))
    table.write_text("\n".join(",".join(line.split(",")[i] for i in columns) for line in lines))
    assert run("fit", table, "--target", target, "--beta", 2, "--out", out).exit_code == 0
    result = run("certify", out, table, "--json")
    found, known = json.loads(result.stdout), load_table_model(out).figures
    assert (result.exit_code, found["verdict"], found["beta"]) == (0, "OPTIMAL", 2.0)
    assert found["objective"] == pytest.approx(known["objective"], rel=1e-9)
    assert found["features"] == ["balance", "missingindicator_balance"]
    assert found["loss"] == ("logistic" if target == "rich" else "squared")
    page = run("certify", out, table, "--beta", 0.5)
    assert page.exit_code == 1 and "IMPROVABLE" in page.stdout
    assert "leave --target out" in refused("certify", out, table, "--target", "balance")
    assert "leave --loss out" in refused("certify", out, table, "--loss", "huber")
    assert f"has no column {target!r}" in refused("certify", out, RING)


def test_networks_of_several_classes_are_certified_where_they_are_one(run, refused, data, tmp_path):
    out = tmp_path / "m.skops"
    drop = ("--drop", "born", "--drop", "city", "--drop", "income", "--beta", 1e6)
    assert run("fit", data, "--target", "job", *drop, "--out", out, "--quiet").exit_code == 0
    result = run("certify", out, data)
    assert result.exit_code == 0 and "2 columns as 3 features and a bias -> job" in result.stdout
    assert run("verify", out, data).exit_code == 0
    drop = (*drop, "--loss", "squared_hinge")
    assert run("fit", data, "--target", "job", *drop, "--out", out, "--quiet").exit_code == 0
    assert "has 3 networks, one for each class" in refused("certify", out, data)
    assert "has no certificate: it has a network for each" in refused("verify", out, data)


@pytest.mark.long
def test_a_hinge_has_no_probabilities(refused, run, data, tmp_path):
    out = tmp_path / "m.skops"
    options = (*FEW, "--loss", "squared_hinge", "--out", out, "--quiet")
    assert run("fit", data, "--target", "rich", *options).exit_code == 0
    assert run("predict", out, data).exit_code == 0
    assert "has no probabilities" in refused("predict", out, data, "--proba")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--target", "rish"), "has no column 'rish'; did you mean 'rich'?"),
        (("--target", "rich", "--drop", "nothing"), "has no column 'nothing'"),
        (("--target", "rich", "--drop", "rich"), "The target 'rich' is none of the columns"),
        (("--target", "rich", "--beta", "much"), "--beta must be cv, auto or a number"),
        (("--target", "rich", "--beta", 0), "--beta must be a finite number above 0"),
        (
            ("--target", "rich", *FEW[:-1], 1e300),
            "as the network has them, of size 2 and 1; give another --beta.",
        ),
        (("--target", "rich", "--holdout", 1.5), "--holdout must be between 0 and 1"),
        (("--target", "rich", "--holdout", 0.001), "--holdout 0.001 of 24 rows leaves none"),
        (("--target", "rich", "--loss", "huber"), "line 2, column 'rich': 'no' is not a number"),
        (("--target", "rich", "--out", "m.npz"), "'cvxnn solve' trains one on a table of numbers"),
        (("--target", "rich", "--out", "m.txt"), "A model file ends in .skops"),
        (("--target", "rich", "--out", "no/m.skops"), "its folder does not exist"),
        (
            ("--target", "rich", *FEW, "--time-limit", -1),
            "--time-limit must be a finite number above 0",
        ),
    ],
)
def test_mistakes_are_sentences(refused, data, options, sentence):
    assert sentence in refused("fit", data, *options)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty."),
        ("a,y\n", "has a header but no rows."),
        ("y\n1\n2\n", "has no column besides the target 'y' to use."),
        ("a,y\n1,2\n3\n", "line 3: 1 cell where the header has 2 cells."),
        ("a,y\n1,2\n3,4,5\n", "line 3: 3 cells where the header has 2 cells."),
        ("a,y\n1,2\n1e300,4\n", "line 3, column 'a': '1e+300' is not 0, nor between"),
        (
            "a,y\n1,2\n3,4\n",
            "has 2 rows to train on, too few for cross-validation: give --beta auto or a number.",
        ),
        (
            "a,y\n" + "".join(f"{i * i},k{i // 2}\n" for i in range(12)),
            "has no class with 5 rows, too few for cross-validation: give --beta auto or a number.",
        ),
    ],
)
def test_bad_tables_are_sentences(refused, tmp_path, content, sentence):
    path = tmp_path / "data.csv"
    path.write_text(content)
    assert sentence in refused("fit", path, "--target", "y")


def test_without_the_packages_a_sentence_says_what_to_install(refused, data, monkeypatch):
    monkeypatch.setattr("cvxnn.cli.fit_command.find_spec", lambda name: None)
    sentence = refused("fit", data, "--target", "rich")
    assert "pandas, skops, skrub, which are not installed: pip install 'cvxnn[cli]'" in sentence


@with_long("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_shows_the_best_model(run, tmp_path, monkeypatch, number):
    @contextlib.contextmanager
    def pressing(*_, **__):
        # In the place of the live view: a signal after the first round, no race with a clock.
        yield lambda _: signal.raise_signal(number)

    monkeypatch.setattr("cvxnn.estimators.base.live_progress", pressing)
    out = tmp_path / "m.skops"
    options = ("--target", "label", "--loss", "squared", "--beta", 1e-3, "--out", out, "--json")
    result = run("fit", RING, *options)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["status"]) == (128 + number, "INTERRUPTED")
    assert f"warning: {Status.INTERRUPTED.value}" in result.stderr.splitlines()
    assert found["n_neurons"] > 0 and run("predict", out, RING).exit_code == 0


@pytest.mark.long
def test_a_full_disk_does_not_cost_the_result(run, data, tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("cvxnn.cli.table_models.atomic_write", full)
    options = (*FEW, "--holdout", 0.25, "--out", tmp_path / "m.skops", "--json")
    result = run("fit", data, "--target", "rich", *options)
    found = json.loads(result.stdout)
    assert (result.exit_code, found["status"], found["model"]) == (2, "OPTIMAL", None)
    assert "No space left on device" in result.stderr


def test_many_columns_share_lines(run, tmp_path, table):
    values = np.random.default_rng(0).standard_normal((12, 9))
    header = ",".join([*(f"c{j}" for j in range(8)), "y"])
    data = table(tmp_path / "wide.csv", header, values)
    result = run("fit", data, "--target", "y", "--beta", 1000)
    assert "c0 ... c7  number  8 columns" in result.stdout


def of_houses(tmp_path, n=60):
    """Sizes, ages and towns, and prices that rise with the size, in noise."""
    rng = np.random.default_rng(0)
    sizes, ages = rng.uniform(30.0, 200.0, n).round(1), rng.uniform(0.0, 80.0, n).round(1)
    prices = (3.0 * sizes - ages + 100.0 * rng.standard_normal(n)).round(1)
    lines = ["size,age=,town,price"]
    lines += [
        f"{size},{age},{'ab'[k % 2]},{price}"
        for k, (size, age, price) in enumerate(zip(sizes, ages, prices, strict=True))
    ]
    path = tmp_path / "houses.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.long
def test_monotone_columns_and_neurons_of_one_column(run, tmp_path):
    path, out = of_houses(tmp_path), tmp_path / "m.skops"
    options = ["--target", "price", "--beta", 0.3, "--features", 1, "--monotone", "size=+1"]
    options += ["--monotone", "age==-1", "--l1-ratio", 0.25, "--out", out, "--json"]
    result = run("fit", path, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["status"] == "OPTIMAL"
    model = load_table_model(out).estimator
    assert model.monotonic_cst == [1, -1, 0] and model.model.features == 1
    grid = np.tile(np.median([[100.0, 40.0, 0.0]], axis=0), (50, 1))
    grid[:, 0] = np.linspace(0.0, 250.0, 50)
    assert (np.diff(model.predict(grid)) >= 0.0).all()
    verified = run("verify", out, path)
    assert verified.exit_code == 0, verified.output


@pytest.mark.long
def test_a_convex_function_of_a_table(run, tmp_path):
    path, out = of_houses(tmp_path), tmp_path / "m.skops"
    options = ("--target", "price", "--drop", "town", "--beta", 1.0, "--shape", "convex")
    assert run("fit", path, *options, "--out", out).exit_code == 0
    network = load_table_model(out).estimator.network_
    assert (network.output_weights > 0.0).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--monotone", "size"], "must be COLUMN=+1 or COLUMN=-1, got 'size'"),
        (["--monotone", "size=1", "--monotone", "size=-1"], "one thing of a column"),
        (["--monotone", "size=2"], "must be COLUMN=+1 or COLUMN=-1, got 'size=2'"),
        (["--monotone", "town=+1"], "a column of numbers, and 'town' is none"),
        (["--monotone", "place=+1"], "place"),
        (["--monotone", "price=+1"], "none of the columns to learn from"),
        (["--l1-ratio", 1.5], "--l1-ratio must be between 0 and 1, got 1.5"),
        (["--target", "size", "--l1-ratio", 0.5], "are for one target"),
    ],
    ids=str,
)
def test_constraints_that_are_none_are_sentences(refused, tmp_path, options, says):
    assert says in refused("fit", of_houses(tmp_path), "--target", "price", *options)

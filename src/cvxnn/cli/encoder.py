"""From the columns of a table to the features of a network, by scikit-learn and skrub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from cvxnn.cli.columns import Column, Kind

# Features that a column of texts becomes, as in skrub.TableVectorizer.
_TEXT_FEATURES = 30
CATEGORIES = "categories"


def encoder(columns: Sequence[Column]) -> Any:
    """What turns the columns into a matrix of numbers, not fitted.

    A number stays itself, the median where it is missing; a category becomes a column of 0
    and 1 for each of its values, also for the missing one, and zeros for an unknown one; a
    date becomes year, month, day, weekday, hours and seconds since 1970; a text 30 numbers
    from its groups of letters (`skrub.StringEncoder`). Where numbers or dates are missing a
    column of 0 and 1 says so.
    """
    named = {kind: [column.name for column in columns if column.kind is kind] for kind in Kind}
    steps: list[tuple[str, Any, Any]] = []
    if named[Kind.NUMBER]:
        steps.append(("numbers", _filled(), named[Kind.NUMBER]))
    if named[Kind.CATEGORY]:
        one_hot = OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False)
        steps.append((CATEGORIES, one_hot, named[Kind.CATEGORY]))
    steps += [(f"date {name}", _date(), name) for name in named[Kind.DATE]]
    steps += [(f"text {name}", _text(), name) for name in named[Kind.TEXT]]
    return ColumnTransformer(steps, verbose_feature_names_out=False)


def _filled() -> Any:
    return SimpleImputer(strategy="median", add_indicator=True)


def _date() -> Any:
    from skrub import DatetimeEncoder

    return make_pipeline(DatetimeEncoder(add_weekday=True), _filled())


def _text() -> Any:
    from skrub import StringEncoder

    return StringEncoder(_TEXT_FEATURES, random_state=0)

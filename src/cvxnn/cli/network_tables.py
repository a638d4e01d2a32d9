"""The table of a saved network: which columns it reads, and what it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cvxnn.array_types import FloatArray
from cvxnn.cli.reporting import counted, say
from cvxnn.cli.sources import Source
from cvxnn.cli.tables import Features, Table, check_different
from cvxnn.errors import InputError, ModelFileError
from cvxnn.networks.base import Network
from cvxnn.networks.weights import FilterNetwork


@dataclass(frozen=True)
class NetworkTable:
    """The data of a network on a table of numbers.

    Attributes
    ----------
    features : Features
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,), or (n, c) for c outputs
    outputs : tuple of str
        Names of the outputs: targets, or classes.
    """

    features: Features
    X: FloatArray
    y: FloatArray
    outputs: tuple[str, ...]

    @classmethod
    def read(
        cls,
        network: Network | None,
        metadata: Mapping[str, Any],
        model: Path,
        data: Path,
        targets: Sequence[str],
        *,
        n_outputs: int,
        has_classes: bool,
    ) -> NetworkTable:
        """Read a table with a column for each output, or with one column of classes.

        Parameters
        ----------
        network, metadata
            What is in the file `model`; None where that has a certificate alone.
        model, data : Path
        targets : sequence of str
            What the user has named; the model's own where it is empty.
        n_outputs : int
        has_classes : bool
            Whether the outputs are for classes, which may be the words of one column.

        Raises
        ------
        InputError
            If the columns do not suit the network.
        """
        source = Source.read(data)
        table = Table(source)
        features = network_features(metadata, _columns_read(network), model, targets, table)
        for name in (*features.names, *features.targets):
            table.require(name)
        is_word = has_classes and n_outputs > 1 and len(features.targets) == 1
        if not is_word and len(features.targets) != n_outputs:
            raise _wrong_count(features.targets, n_outputs, model, by_user=bool(targets))
        numbers = [*features.names, *(() if is_word else features.targets)]
        inputs, y = np.hsplit(table.read(numbers), [len(features.names)])
        X, outputs = features.matrix(inputs), features.targets
        if is_word:
            words = Table(source).texts(features.target)
            y, outputs = _columns(words, n_outputs, features.target, table.source, model)
        return cls(features, X, y[:, 0] if n_outputs == 1 else y, outputs)


def network_features(
    metadata: Mapping[str, Any],
    n_features: int | None,
    model: Path,
    targets: Sequence[str],
    table: Table,
) -> Features:
    """The columns that the model names, or else all but the targets.

    A network that reads rows of any length, as signals, has None for its features.
    """
    check_different(targets)
    if "feature_names" in metadata:
        features = Features.from_metadata(metadata, n_features, str(model))
        for target in targets:
            if target in features.names:
                raise InputError(
                    f"The column {target!r} is a feature of {model}; give another one with "
                    "--target."
                )
        return replace(features, targets=tuple(targets)) if targets else features
    if not targets:
        raise InputError(f"{model} does not say what it predicts; give the column with --target.")
    for target in targets:
        table.require(target)
    named = ", ".join(map(repr, targets))
    names = tuple(name for name in table.columns if name not in targets)
    has_bias = n_features is not None and len(names) == n_features - 1
    if not has_bias and n_features not in (None, len(names)):
        raise InputError(
            f"{model} names no columns, and its network reads {n_features} features where the "
            f"table has {len(names)} besides {named}."
        )
    with_ones = ", and then a column of ones" if has_bias else ""
    say(
        f"{model} names no columns: its network reads all but {named}, in the order of the "
        f"table{with_ones}."
    )
    return Features(names, tuple(targets), has_bias)


def _columns_read(network: Network | None) -> int | None:
    """Features of the rows that a network reads; None for filters, which may see longer ones."""
    is_filter = isinstance(network, FilterNetwork) or getattr(network, "is_convolutional", False)
    return None if is_filter else getattr(network, "n_features", None)


def _wrong_count(
    targets: Sequence[str], n_outputs: int, model: Path, *, by_user: bool
) -> InputError | ModelFileError:
    outputs = counted(n_outputs, "output")
    if by_user:
        return InputError(
            f"{model} has a network of {outputs}: give a --target for each, in their order, got "
            f"{len(targets)}; one column of classes is for the softmax loss."
        )
    return ModelFileError(
        f"{model} names {counted(len(targets), 'target')}, and its network has {outputs}."
    )


def _columns(
    words: Sequence[str], n_outputs: int, target: str, source: str, model: Path
) -> tuple[FloatArray, tuple[str, ...]]:
    """A column for each class, and the classes, sorted: the order in which they are outputs."""
    keys = [_number(word) for word in words]
    are_numbers = None not in keys
    labels: list[Any] = list(keys) if are_numbers else list(words)
    found = sorted(set(labels))
    if are_numbers and set(found) <= set(range(n_outputs)):
        # Indices, of which one may have no row.
        found = [float(k) for k in range(n_outputs)]
    if len(found) != n_outputs:
        raise InputError(
            f"{source}: column {target!r} has {len(found)} different classes, and the network of "
            f"{model} has {n_outputs} outputs."
        )
    places = {label: k for k, label in enumerate(found)}
    names = tuple(f"{label:g}" if are_numbers else label for label in found)
    say(f"{target!r} has the classes {', '.join(names)}, in the order of the outputs.")
    return np.eye(n_outputs)[[places[label] for label in labels]], names


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None

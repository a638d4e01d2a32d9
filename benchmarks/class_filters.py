"""Classes of images by filters: one network that they share, beside one for each class.

scikit-learn's digits, 8 x 8 pixels in ten classes, four fifths to train on. Both sides are
`ConvexReLUClassifier` on `Conv(filter_size)` with the sum over the patches, the same beta, and
the default time limit of a minute: softmax with shared filters, and ``multi_class="ovr"``. Seconds
are those of the processor::

    OMP_NUM_THREADS=1 python benchmarks/class_filters.py [--sizes 3 4] [--betas 1 3] [--splits 3]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator

import numpy as np
from harness import print_table
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import cvxnn

METHODS = {"shared": "softmax", "one against the rest": "ovr"}


def rows(
    size: int, beta: float, split: int, limit: int, seconds_of_rest: float | None
) -> Iterator[list[str]]:
    """Both methods on one split, next to each other."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.2, random_state=split, stratify=labels
    )
    train = train[:limit]
    for name, multi_class in METHODS.items():
        is_limited = multi_class == "ovr" and seconds_of_rest is not None
        model = cvxnn.ConvexReLUClassifier(
            beta, model=cvxnn.Conv(size), multi_class=multi_class, random_state=split,
            time_limit=seconds_of_rest if is_limited else "auto",
        )  # fmt: skip
        begin = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(images[train], labels[train])
        seconds = time.process_time() - begin
        probabilities = model.predict_proba(images[test])
        wrong = np.mean(model.predict(images[test]) != labels[test])
        loss = log_loss(labels[test], probabilities, labels=model.classes_)
        numbers = f"{100.0 * wrong:.1f}", f"{loss:.3f}", f"{model.n_neurons_}", f"{seconds:.1f}"
        yield [f"{size} x {size}", f"{beta:g}", f"{split}", name, *numbers]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 4])
    parser.add_argument("--betas", type=float, nargs="+", default=[1.0, 3.0])
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--images", type=int, default=1437, help="to train on, at most")
    parser.add_argument("--seconds", type=float, help="for one against the rest, not a minute")
    options = parser.parse_args()
    # Compiles the kernels.
    list(rows(2, 100.0, 0, 100, None))
    header = ("filters", "beta", "split", "method", "% wrong", "log loss", "filters in all", "s")
    found = (
        row
        for size in options.sizes
        for beta in options.betas
        for split in range(options.splits)
        for row in rows(size, beta, split, options.images, options.seconds)
    )
    print_table(header, found)


if __name__ == "__main__":
    main()

"""Convolutional networks with shared filters on images, beside the same ones trained by Adam.

Two classes of scikit-learn's digits, 8 x 8 pixels, and of CIFAR-10, airplanes and
automobiles at 10 x 10 grey pixels (`--cifar`, see `cvxnn study`; left out without the
data). Both sides have one objective: squared loss as a sum over the images, average
pooling, and weight decay beta on all weights. Adam takes all images in every step, has
as many filters as the larger of our networks, 40 at least, and the better of two step
sizes; its time is that of both. Seconds are those of the processor, all threads together,
and `global` stops at `--seconds` of the clock. `--figure FILE` draws the filters that ours
found.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from harness import FloatArray, print_table
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cvxnn import Conv, ConvolutionalNetwork, Global, Sampled, solve, to_torch
from cvxnn.study.paper_data import DataUnavailable, cifar

STEP_SIZES = (1e-2, 1e-3)


@dataclass(frozen=True)
class Images:
    """Images of two classes, -1 and 1, and a beta for them."""

    name: str
    train: FloatArray
    y: FloatArray
    test: FloatArray
    y_test: FloatArray
    beta: float


def digits() -> Images:
    """Zeros and ones: two thirds to train."""
    images, labels = load_digits(n_class=2, return_X_y=True)
    y = np.where(labels == 1, 1.0, -1.0)
    parts = train_test_split(
        images.reshape(-1, 8, 8) / 16.0, y, test_size=1 / 3, stratify=y, random_state=0
    )
    train, test, y_train, y_test = parts
    return Images("digits 0 and 1", train, y_train, test, y_test, 0.02)


def all_digits() -> Images:
    """Zeros and ones, all to train."""
    part = digits()
    images, y = np.concatenate([part.train, part.test]), np.concatenate([part.y, part.y_test])
    return Images("digits 0 and 1, all", images, y, images, y, part.beta)


def airplanes(path: str | None) -> Images:
    """The grey images of `cvxnn study 4.4`."""
    data = cifar(path, download=False)
    train, test = (X[:, :-1].reshape(-1, 10, 10) for X in (data.X, data.X_test))
    return Images("CIFAR airplane, automobile", train, data.y, test, data.y_test, 0.02)


def accuracy(network: ConvolutionalNetwork, images: Images) -> str:
    right = (network.forward(images.test) > 0.0) == (images.y_test > 0.0)
    return f"{100.0 * right.mean():.0f} %"


def ours(
    images: Images, filter_size: int, options: dict[str, object]
) -> tuple[list[object], ConvolutionalNetwork]:
    start = time.process_time()
    model = Conv(filter_size, pooling="average", bias=True)
    solution = solve(images.train, images.y, images.beta, model=model, **options)
    row = [
        f"{solution.method}, {solution.status.name}",
        solution.network.n_neurons,
        f"{solution.objective:.4f}",
        f"{solution.dual_bound:.4f}",
        f"{solution.program_gap:.0e}",
        accuracy(solution.network, images),
        f"{time.process_time() - start:.1f}",
    ]
    return row, solution.network


def adam(images: Images, filter_size: int, width: int, steps: int) -> list[object]:
    """The better of two step sizes from the same random weights."""
    start = time.process_time()
    found = [train(images, filter_size, width, steps, size) for size in STEP_SIZES]
    seconds = time.process_time() - start
    values = [network.objective(images.train, images.y, images.beta) for network in found]
    best = int(np.argmin(values))
    row = [f"Adam, step {STEP_SIZES[best]:g}", width, f"{values[best]:.4f}", "", ""]
    return [*row, accuracy(found[best], images), f"{seconds:.1f}"]


def train(
    images: Images, filter_size: int, width: int, steps: int, step_size: float
) -> ConvolutionalNetwork:
    rng = np.random.default_rng(0)
    filters = rng.standard_normal((width, filter_size, filter_size, 1)) / filter_size
    output = rng.standard_normal(width) / width**0.5
    network = ConvolutionalNetwork(filters, output, np.zeros(width), pooling="average")
    module = to_torch(network)
    data, y = torch.from_numpy(images.train[:, None]), torch.from_numpy(images.y)
    weights = list(module.parameters())
    optimizer = torch.optim.Adam(weights, lr=step_size)
    for _ in range(steps):
        optimizer.zero_grad()
        penalty = sum((part**2).sum() for part in weights)
        value = 0.5 * ((module(data)[:, 0] - y) ** 2).sum() + 0.5 * images.beta * penalty
        value.backward()
        optimizer.step()
    filters, biases, output = (part.detach().numpy() for part in weights)
    return ConvolutionalNetwork(np.moveaxis(filters, 1, -1), output[0], biases, pooling="average")


def draw(networks: dict[str, ConvolutionalNetwork], path: str) -> None:
    from cvxnn.plotting import plot_filters
    from cvxnn.plotting.styles import new_figure

    figure = new_figure((8.0, 1.7 * len(networks)))
    parts = np.atleast_1d(figure.subfigures(len(networks), 1))
    for part, (name, network) in zip(parts, networks.items(), strict=True):
        plot_filters(network, max_filters=8, figure=part)
        part.suptitle(name, fontsize="medium")
    figure.savefig(path, dpi=90)


def load(names: list[str], path: Path | None) -> list[Images]:
    """The sets of these names; CIFAR-10 is left out where it is not there."""
    makers = {"all": all_digits, "digits": digits, "cifar": lambda: airplanes(path)}
    found = []
    for name in names:
        try:
            found.append(makers[name]())
        except (DataUnavailable, FileNotFoundError) as error:
            print(f"Without {name}: {error}\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = ["all", "digits", "cifar"]
    parser.add_argument("--sets", nargs="+", choices=names, default=names)
    parser.add_argument("--cifar", type=Path, help="an .npz file as for `cvxnn study --cifar`")
    parser.add_argument("--figure", type=Path, help="where to draw the filters")
    parser.add_argument("--steps", type=int, default=3000, help="of Adam, for each step size")
    parser.add_argument("--seconds", type=float, default=60.0, help="for method global")
    arguments = parser.parse_args()
    sampled = {"method": Sampled(100)}
    searched = {"method": Global(), "time_limit": arguments.seconds, "tol": 1e-4}
    found = load(arguments.sets, arguments.cifar)
    solve(np.eye(4)[None], [1.0], 0.1, model=Conv(2), **sampled)  # compiles the kernels
    networks = {}

    def rows():
        for images in found:
            width = 40
            for options in (sampled, searched):
                row, networks[images.name] = ours(images, 3, options)
                width = max(width, networks[images.name].n_neurons)
                yield [images.name, *row]
            yield [images.name, *adam(images, 3, width, arguments.steps)]

    header = ["images", "method", "filters", "objective", "bound", "program gap", "test accuracy"]
    print_table([*header, "processor s"], rows())
    if arguments.figure is not None and networks:
        draw(networks, str(arguments.figure))


if __name__ == "__main__":
    main()

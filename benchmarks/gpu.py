"""A GPU beside the CPU: steps per second, and objective (2) at equal time beside PyTorch.

Data are made here: normal features and a column of ones, targets of twenty neurons with noise. In
one run of at most six minutes there are

- steps per second on the CPU and on the device, with 300 neurons: an evaluation of objective (2)
  with its gradients (a step of the descent), what directions would gain (that of an ascent on all
  rows), Gram matrices, predictions in float64, and iterations of the relaxation; with the rate of
  the device as a share of that of a product of large matrices in float32 there;
- the objective after the same seconds of the rough search on the device and on the CPU, and of
  L-BFGS (strong Wolfe) and Adam (minibatches, the better of two rates) of PyTorch on the same
  device, which train 300 neurons in float32 from normal weights. Objectives are recomputed by
  PyTorch in float64, from balanced weights. Data are on the device before the clock of PyTorch
  starts; ours has to bring them there.

    python benchmarks/gpu.py [--json FILE] [--device cuda] [--small]

It says in one line where there is no GPU; `--device cpu --small` tries it without. It needs PyTorch
and array-api-compat.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import FloatArray, balance, print_table, warm_up_global

from cvxnn.backends.devices import Device
from cvxnn.certificates import DualProof
from cvxnn.interrupts import UNLIMITED, Deadline, OutOfTimeError
from cvxnn.layers import Layer
from cvxnn.losses import SquaredLoss
from cvxnn.problems import Neurons, Problem
from cvxnn.relaxation.iteration import Numbers
from cvxnn.relaxation.prover import RelaxationProver
from cvxnn.solvers.descent.tile_search import TileSearch
from cvxnn.solvers.devices.places import rows_of
from cvxnn.solvers.segments.rows import SegmentedRows

NEURONS, PLANTED, SHARE = 300, 20, 0.02
RATES, BATCH, MEMORY = (3e-3, 1e-2), 4096, 15
# Seconds of the whole run, after which nothing begins any more.
ALL = 330.0


@dataclass(frozen=True)
class Sizes:
    """What is measured: rows, features, seconds of a training, seconds of a measurement."""

    rows: tuple[int, ...] = (100_000, 1_000_000)
    features: tuple[int, ...] = (50, 100)
    times: tuple[float, ...] = (3.0, 10.0)
    budget: float = 2.0
    relaxed: int = 4_000
    iterations: int = 20
    product: int = 8_192


SMALL = Sizes((4_000,), (12,), (0.5, 1.0), 0.3, 200, 5, 512)


@dataclass(frozen=True)
class Data:
    """A problem with one output, and beta a share of what its best planted neuron gains."""

    X: FloatArray
    y: FloatArray
    beta: float

    @classmethod
    def drawn(cls, n: int, d: int) -> Data:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((n, d))
        X[:, -1] = 1.0
        hidden = rng.standard_normal((PLANTED, d)) / np.sqrt(d)
        active = np.maximum(X @ hidden.T, 0.0)
        y = active @ rng.choice([-1.0, 1.0], PLANTED) + 0.5 * rng.standard_normal(n)
        gains = np.abs(y @ active) / np.linalg.norm(hidden, axis=1)
        return cls(X, y, SHARE * float(gains.max()))

    def problem(self, device: Device | None) -> Problem[Layer]:
        return Problem(Layer(self.X), self.y[:, None], self.beta, SquaredLoss(), device)


@dataclass(frozen=True)
class Rate:
    """Steps per second of both, and operations of a step."""

    rows: int
    features: int
    what: str
    cpu: float
    device: float
    flops: float = 0.0

    def cells(self, peak: float) -> list[str]:
        speed = self.flops * self.device
        return [
            f"{self.rows:,}", str(self.features), self.what, f"{self.cpu:.3g}",
            f"{self.device:.3g}", f"{self.device / self.cpu:.1f}",
            f"{speed / 1e12:.2f}" if speed else "", f"{speed / peak:.2f}" if speed else "",
        ]  # fmt: skip


def per_second(run: Callable[[], Any], budget: float) -> float:
    """Calls per second."""
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < budget:
        run()
        count += 1
    return count / (time.perf_counter() - start)


def steps(rows: SegmentedRows, n: int, d: int) -> Iterator[tuple[str, float, Callable[[], Any]]]:
    """What a search asks for, with its operations. Results are numbers in the memory of the CPU."""
    rng, k = np.random.default_rng(1), NEURONS
    hidden, heads = rng.standard_normal((k, d)) / np.sqrt(d), rng.standard_normal(k) / k
    f = rows.keep("predictions", (), hidden, heads)
    product = 2.0 * n * d * k
    yield "descent", 3.0 * product, lambda: rows.total("value_and_gradient", (), hidden, heads, 0.0)
    yield "ascent", product, lambda: rows.total("pulls", (f,), 0.0, hidden)
    gram = product + 2.0 * n * k * k
    yield "Gram", gram, lambda: rows.total("curved_sums", (f,), 0.0, hidden, 1e-2)

    def predictions() -> Any:
        kept = rows.keep("predictions", (), hidden, heads)
        return rows.total("value", (kept,), 0.0)

    yield "predictions", product, predictions


def rates(data: Data, device: Device, budget: float) -> Iterator[Rate]:
    n, d = data.X.shape
    both = (steps(rows_of(data.problem(place)), n, d) for place in (None, device))
    for (what, flops, here), (_, _, there) in zip(*both, strict=True):
        # The first call on a device counts for nothing: libraries choose kernels there.
        there()
        yield Rate(n, d, what, per_second(here, budget), per_second(there, budget), flops)


def relaxations(sizes: Sizes, device: Device) -> Rate:
    """Iterations per second of the relaxation, with no neurons to start from."""
    data = Data.drawn(sizes.relaxed, sizes.features[0])
    problem, most = data.problem(None), sizes.iterations
    nothing = DualProof(problem.Y, np.full(2, np.inf), "none")
    speeds = []
    for numbers in (Numbers(np, np.float32), Numbers.on(device)):
        threads = None if numbers.place is None else 1
        start = time.perf_counter()
        prover = RelaxationProver(problem, most=most, numbers=numbers, threads=threads)
        prover.improve(Neurons.none(data.X.shape[1]), nothing, 1e-9, UNLIMITED)
        speeds.append(most / (time.perf_counter() - start))
    return Rate(*data.X.shape, "relaxation", *speeds)


def peak_of(device: Device, size: int, budget: float) -> float:
    """Operations per second of a product of large matrices in float32."""
    A = torch.ones((size, size), device=device.place)

    def product() -> float:
        return float((A @ A)[0, 0])

    with device.in_full_precision():
        product()
        return 2.0 * size**3 * per_second(product, budget)


class Peer:
    """Objective (2) of a network of fixed width in PyTorch, and its value in float64."""

    def __init__(self, data: Data, device: Device) -> None:
        self.data, self.place = data, device.place
        self.X64 = torch.asarray(data.X, device=self.place)
        self.y64 = torch.asarray(data.y, device=self.place)
        self.X, self.y = self.X64.float(), self.y64.float()

    def objective(self, hidden: FloatArray, output: FloatArray) -> float:
        """From balanced weights, some rows at a time."""
        hidden, output = balance(hidden, output)
        W, a = (torch.asarray(part, device=self.place) for part in (hidden, output))
        loss = 0.0
        for X, y in zip(self.X64.split(1 << 16), self.y64.split(1 << 16), strict=True):
            loss += float(0.5 * ((torch.relu(X @ W.T) @ a - y) ** 2).sum())
        return loss + 0.5 * self.data.beta * float((hidden**2).sum() + (output**2).sum())

    def start(self) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(0)
        d = self.X.shape[1]
        parts = (
            torch.randn((NEURONS, d), generator=generator) / d**0.5,
            torch.randn(NEURONS, generator=generator),
        )
        return [
            (part / NEURONS**0.5 if part.ndim == 1 else part).to(self.place).requires_grad_()
            for part in parts
        ]

    def value(self, W: torch.Tensor, a: torch.Tensor, X: torch.Tensor, y: torch.Tensor) -> Any:
        share = len(y) / len(self.y)
        penalty = 0.5 * self.data.beta * ((W**2).sum() + (a**2).sum())
        return 0.5 * ((torch.relu(X @ W.T) @ a - y) ** 2).sum() + share * penalty

    def traced(
        self, step: Callable[[], None], weights: list[torch.Tensor], times: Any
    ) -> list[float]:
        """The best objective by these times; looking costs nothing."""
        found, best, spent = [], np.inf, 0.0
        for limit in times:
            while spent < limit:
                start = time.perf_counter()
                step()
                if self.place.type == "cuda":
                    torch.cuda.synchronize(self.place)
                spent += time.perf_counter() - start
            arrays = [part.detach().double().cpu().numpy() for part in weights]
            best = min(best, self.objective(*arrays))
            found.append(best)
        return found

    def lbfgs(self, times: tuple[float, ...]) -> list[float]:
        weights = self.start()
        optimizer = torch.optim.LBFGS(
            weights, max_iter=5, history_size=MEMORY, line_search_fn="strong_wolfe"
        )

        def closure() -> Any:
            optimizer.zero_grad()
            value = self.value(*weights, self.X, self.y)
            value.backward()
            return value

        return self.traced(lambda: optimizer.step(closure), weights, times)

    def adam(self, rate: float, times: tuple[float, ...]) -> list[float]:
        weights = self.start()
        optimizer = torch.optim.Adam(weights, lr=rate)
        generator = torch.Generator(device=self.place).manual_seed(0)

        def step() -> None:
            rows = torch.randint(len(self.y), (BATCH,), generator=generator, device=self.place)
            optimizer.zero_grad()
            (self.value(*weights, self.X[rows], self.y[rows]) / BATCH).backward()
            optimizer.step()

        return self.traced(step, weights, times)


def ours(data: Data, device: Device | None, limit: float) -> tuple[FloatArray, FloatArray]:
    """Weights of the rough search after so many seconds, with all that it needs."""
    deadline, rng = Deadline(limit), np.random.default_rng(0)
    rows = rows_of(data.problem(device))
    search = TileSearch(rows, data.beta, np.eye(data.X.shape[1]), rng, deadline)
    try:
        while not search.advance():
            pass
    except OutOfTimeError:
        pass
    hidden, output = search.neurons.balanced()
    return hidden, output[:, 0]


@dataclass(frozen=True)
class Race:
    """Objectives at some times, of all on one problem."""

    rows: int
    features: int
    times: tuple[float, ...]
    objectives: dict[str, list[float | None]]

    def cells(self) -> Iterator[list[str]]:
        for place, limit in enumerate(self.times):
            at = [found[place] for found in self.objectives.values()]
            best = ["" if value is None else f"{value:.6g}" for value in at]
            yield [f"{self.rows:,}", str(self.features), f"{limit:g}", *best]


def race(data: Data, device: Device, times: tuple[float, ...]) -> Race:
    peer = Peer(data, device)
    found: dict[str, list[float | None]] = {
        "ours": [peer.objective(*ours(data, device, limit)) for limit in times]
    }
    # Once: it is there to see what the device brings.
    last = peer.objective(*ours(data, None, times[-1]))
    found["ours on the CPU"] = [None] * (len(times) - 1) + [last]
    with device.in_full_precision():
        found["L-BFGS"] = peer.lbfgs(times)
        each = [peer.adam(rate, times) for rate in RATES]
    found["Adam"] = [min(values) for values in zip(*each, strict=True)]
    return Race(*data.X.shape, times, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="seconds, to try it")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no GPU here that PyTorch can use; --device cpu --small tries it without.")
        return
    begun, sizes = time.perf_counter(), SMALL if options.small else Sizes()
    device = Device.named(options.device)
    warm_up_global()
    ours(Data.drawn(2_000, 9), device, 1.0)
    peak = peak_of(device, sizes.product, sizes.budget)
    print(f"PyTorch {torch.__version__} on {name_of(device)}, {torch.get_num_threads()} threads; "
          f"float32 products of {sizes.product} rows at {peak / 1e12:.2f} TFLOP/s\n")  # fmt: skip
    all_rates, races, left_out = [], [], []
    for n in sizes.rows:
        for d in sizes.features:
            if time.perf_counter() - begun > ALL:
                left_out.append([n, d])
                continue
            data = Data.drawn(n, d)
            all_rates += rates(data, device, sizes.budget)
            races.append(race(data, device, sizes.times))
    all_rates.append(relaxations(sizes, device))
    header = ("rows", "features", "step", "CPU 1/s", "device 1/s", "times", "TFLOP/s", "of peak")
    print_table(header, (rate.cells(peak) for rate in all_rates))
    names = tuple(races[0].objectives)
    print_table(
        ("rows", "features", "seconds", *names), (row for one in races for row in one.cells())
    )
    seconds = time.perf_counter() - begun
    print(f"{seconds:.0f} s in all; left out, as time was over: {left_out or 'nothing'}")
    if options.json is not None:
        written = {
            "device": name_of(device), "torch": torch.__version__, "peak_flops": peak,
            "seconds": seconds, "rates": [asdict(rate) for rate in all_rates],
            "races": [asdict(one) for one in races], "left_out": left_out,
        }  # fmt: skip
        options.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def name_of(device: Device) -> str:
    return torch.cuda.get_device_name(device.place) if device.place.type == "cuda" else "the CPU"


if __name__ == "__main__":
    main()

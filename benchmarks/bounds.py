"""How far from optimal a network is at most: the relaxation of `certify` against other bounds.

The networks are those of `solve`, and every bound is for the same network. "spectral" is the
bound of one eigenvalue at its scaled residual, all that there is at rank 10 and more without a
relaxation. "Shor" is the joint semidefinite relaxation of both output signs without products of
pairs, solved by Clarabel; "DNN" the doubly non-negative one with all products over (1, u, p, q), by
SCS: both give the value that the solver reports, not a proof. "ours" is `RelaxationProver`, proven
in float64, rounding included, after 2, 15 and 60 seconds of one run.

`--beta` has the gap after some seconds for shares of the largest beta, of ten tables of
scikit-learn. The second table has the best gap so far at each second of a bound.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn.datasets as sets
from harness import FloatArray, print_table
from planted import planted

import cvxnn
from cvxnn.certificates import DualProof, spectral_proof
from cvxnn.interrupts import Deadline
from cvxnn.models.relu import ReLU
from cvxnn.problems import Neurons, Problem
from cvxnn.solvers.relaxed import relaxation_prover

TIMES = (2.0, 15.0, 60.0)
SHARES = (1.0 / 2.0, 0.3, 0.1, 0.03, 0.01)
# Rows and columns up to which the others are solved: minutes and gigabytes beyond.
SHOR, DNN = (1200, 32), (24, 8)


@dataclass(frozen=True)
class Case:
    """A problem and the best network that is known."""

    name: str
    X: FloatArray
    y: FloatArray
    beta: float
    loss: str

    def solved(self, seconds: float) -> cvxnn.Solution[Any]:
        method = cvxnn.Global(proof_time=0.0)
        return cvxnn.solve(
            self.X, self.y, self.beta, loss=self.loss, method=method, time_limit=seconds
        )

    @property
    def problem(self) -> Problem[Any]:
        return Problem.checked(ReLU().rows(self.X), self.y, self.beta, self.loss, None, False)


def standard(
    X: FloatArray, y: FloatArray, *, labels: bool = False
) -> tuple[FloatArray, FloatArray]:
    """Columns of mean 0 and variance 1 and one of ones; y the same, or labels -1 and 1."""
    X = X[:, X.std(axis=0) > 0.0]
    X = np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])
    return X, np.where(y > 0, 1.0, -1.0) if labels else (y - y.mean()) / y.std()


def largest(X: FloatArray, y: FloatArray, loss: str) -> float:
    """A bound on the largest beta from one eigenvalue: the same whatever an oracle proves."""
    problem = Problem.checked(ReLU().rows(X), y, 1.0, loss, None, False)
    return spectral_proof(problem.rows, problem.residual_at_zero).oracle_bound


def of_share(name: str, X: FloatArray, y: FloatArray, share: float, loss: str = "squared") -> Case:
    return Case(f"{name} {share:g}", X, y, share * largest(X, y, loss), loss)


def named(cifar: Path | None) -> Iterator[Case]:
    """The problems of the table."""
    X, y = standard(*sets.load_diabetes(return_X_y=True))
    for share in (0.3, 0.1, 0.03, 0.01):
        yield of_share("diabetes", X, y, share)
    X, y = planted()
    yield Case("planted, rank 21", X, y, 1.0, "squared")
    X, y = standard(*sets.load_breast_cancer(return_X_y=True), labels=True)
    for share in (0.1, 0.02):
        yield of_share("breast cancer, logistic", X, y, share, "logistic")
    rng = np.random.default_rng(0)
    for n, d in ((16, 4), (20, 6)):
        X = np.column_stack([rng.standard_normal((n, d - 1)), np.ones(n)])
        y = np.sin(2.0 * X[:, 0]) + 0.5 * rng.standard_normal(n)
        yield of_share(f"small {n} x {d}", X, y, 0.1)
    if cifar is not None:
        from cvxnn.study.paper_data import cifar as read

        data = read(cifar)
        yield Case("CIFAR", data.X, data.y, 1e-4, "squared")


def tables() -> Iterator[tuple[str, FloatArray, FloatArray, str]]:
    """Ten tables of scikit-learn."""
    yield "diabetes", *standard(*sets.load_diabetes(return_X_y=True)), "squared"
    linnerud = sets.load_linnerud()
    yield "linnerud", *standard(linnerud.data, linnerud.target[:, 0]), "squared"
    for k, make in enumerate((sets.make_friedman1, sets.make_friedman2, sets.make_friedman3), 1):
        X, y = make(500, random_state=0)
        yield f"friedman{k}", *standard(X, y + 0.2 * y.std() * _noise(500)), "squared"
    for name in ("iris", "wine", "breast_cancer", "digits"):
        X, labels = getattr(sets, f"load_{name}")(return_X_y=True)
        yield name, *standard(X[:600], labels[:600] == 1, labels=True), "logistic"
    X, y = (part[:500] for part in planted())
    yield "planted", X, y / y.std(), "squared"


def _noise(n: int) -> FloatArray:
    return np.random.default_rng(0).standard_normal(n)


def gaps_of_ours(
    case: Case, objective: float, neurons: Neurons, seconds: float
) -> list[list[float]]:
    """Seconds and gap, whenever a bound has been computed."""
    problem = case.problem
    deadline, seen = Deadline(seconds), list[list[float]]()

    def note(proof: DualProof) -> None:
        seen.append([deadline.elapsed, (objective - proof.bound(problem)) / objective])

    prover = relaxation_prover(problem, on_bound=note)
    assert prover is not None
    nothing = DualProof.of(problem.y, np.inf, "none")
    prover.improve(neurons, nothing, 1e-6, deadline)
    return seen


def shor(X: FloatArray, y: FloatArray, beta: float) -> float:
    """``min l(f) + beta (a+ + a-)`` over moments (a, z, U) of (1, u) of each output sign.

    With t of |Xu|: ``t_i >= |x_i'z|``, ``||x_i|| t_i >= s_i``, ``t_i^2 <= a s_i``,
    ``s_i = x_i'U x_i``, ``tr U = a``.
    """
    import cvxpy as cp

    lengths = np.linalg.norm(X, axis=1)
    f, penalty, constraints = 0.0, 0.0, []
    for sign in (1.0, -1.0):
        M = cp.Variable((X.shape[1] + 1, X.shape[1] + 1), PSD=True)
        a, U = M[0, 0], M[1:, 1:]
        t, z = cp.Variable(len(X)), X @ M[0, 1:]
        s = cp.sum(cp.multiply(X @ U, X), axis=1)
        constraints += [cp.trace(U) == a, t >= z, t >= -z, cp.multiply(lengths, t) >= s]
        constraints += [cp.SOC(a + s, cp.vstack([2 * t, a - s]), axis=0)]
        f, penalty = f + sign * (z + t) / 2, penalty + a
    problem = cp.Problem(cp.Minimize(cp.sum_squares(f - y) / 2 + beta * penalty), constraints)
    return float(problem.solve(solver=cp.CLARABEL))


def doubly_nonnegative(X: FloatArray, y: FloatArray, beta: float) -> float:
    """The same over moments of (1, u, p, q), of which all products of p and q are >= 0."""
    import cvxpy as cp

    n, d = X.shape
    f, penalty, constraints = 0.0, 0.0, []
    for sign in (1.0, -1.0):
        M = cp.Variable((1 + d + 2 * n, 1 + d + 2 * n), PSD=True)
        u, p, q = slice(1, 1 + d), slice(1 + d, 1 + d + n), slice(1 + d + n, None)
        constraints += [cp.trace(M[u, u]) <= M[0, 0], M[1 + d :, 1 + d :] >= 0]
        constraints += [M[0, 1 + d :] >= 0, cp.diag(M[p, q]) == 0]
        constraints += [M[p] - M[q] == X @ M[u]]
        f, penalty = f + sign * M[0, p], penalty + M[0, 0]
    problem = cp.Problem(cp.Minimize(cp.sum_squares(f - y) / 2 + beta * penalty), constraints)
    return float(problem.solve(solver=cp.SCS, eps=1e-6, max_iters=50_000))


def timed(
    solve: Callable[..., float], case: Case, most: tuple[int, int], objective: float
) -> tuple[float, float] | None:
    """Gap and seconds; None where it is too large, or for another loss."""
    if len(case.X) > most[0] or case.X.shape[1] > most[1] or case.loss != "squared":
        return None
    begin = time.perf_counter()
    value = solve(case.X, case.y, case.beta)
    return (objective - value) / objective, time.perf_counter() - begin


def measured(case: Case, search: float, times: tuple[float, ...]) -> dict[str, Any]:
    solution, problem = case.solved(search), case.problem
    objective = solution.objective
    residual = problem.residual(solution.network.forward(case.X))
    spectral = spectral_proof(problem.rows, residual).bound(problem)
    return {
        "problem": case.name, "n": len(case.X), "d": case.X.shape[1], "beta": case.beta,
        "objective": objective, "status": solution.status.name, "search": solution.elapsed,
        "spectral": (objective - spectral) / objective,
        "Shor": timed(shor, case, SHOR, objective),
        "DNN": timed(doubly_nonnegative, case, DNN, objective),
        "ours": gaps_of_ours(case, objective, ReLU().neurons(solution.network), max(times)),
    }  # fmt: skip


def after(gaps: list[list[float]], seconds: float) -> str:
    known = [gap for at, gap in gaps if at <= seconds]
    return f"{min(known):.2e}" if known else "-"


def row(result: dict[str, Any], times: tuple[float, ...]) -> list[str]:
    others = [result["Shor"], result["DNN"]]
    return [
        result["problem"], f"{result['n']} x {result['d']}", f"{result['objective']:.6g}",
        f"{result['spectral']:.3f}",
        *("-" if each is None else f"{each[0]:.4f} ({each[1]:.1f} s)" for each in others),
        *(after(result["ours"], seconds) for seconds in times),
    ]  # fmt: skip


def courses(results: list[dict[str, Any]]) -> Iterator[list[str]]:
    """The best gap so far, whenever there is a new bound."""
    for result in results:
        best = np.inf
        for seconds, gap in result["ours"]:
            best = min(best, gap)
            yield [result["problem"], f"{seconds:.2f}", f"{best:.2e}"]


def against_beta(seconds: float, search: float) -> Iterator[dict[str, Any]]:
    """The gap of ten tables for falling beta."""
    for name, X, y, loss in tables():
        top = cvxnn.largest_beta(X, y, loss=loss)
        gaps = []
        for share in SHARES:
            case = Case(name, X, y, share * top, loss)
            solution = case.solved(search)
            neurons = ReLU().neurons(solution.network)
            found = gaps_of_ours(case, solution.objective, neurons, seconds)
            gaps.append(min([solution.gap, *(gap for _, gap in found)]))
        yield {"table": name, "n": len(X), "d": X.shape[1], "gaps": gaps}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=float, nargs="+", default=TIMES, metavar="SECONDS")
    parser.add_argument("--search", type=float, default=40.0, metavar="SECONDS")
    parser.add_argument("--only", default="", metavar="TEXT", help="problems with this name")
    parser.add_argument("--cifar", type=Path, metavar="FILE", help="images of the study, .npz")
    parser.add_argument("--beta", action="store_true", help="ten tables instead")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON of all figures")
    arguments = parser.parse_args()
    times = tuple(arguments.times)
    results: list[dict[str, Any]] = []

    def kept(found: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for result in found:
            results.append(result)
            yield result

    if arguments.beta:
        found = kept(against_beta(times[-1], arguments.search))
        print_table(
            ["table", "n x d", *(f"{share:g}" for share in SHARES)],
            ([r["table"], f"{r['n']} x {r['d']}", *(f"{gap:.1e}" for gap in r["gaps"])]
             for r in found),
        )  # fmt: skip
    else:
        cases = (case for case in named(arguments.cifar) if arguments.only in case.name)
        found = kept(measured(case, arguments.search, times) for case in cases)
        print_table(
            ["problem", "n x d", "objective", "spectral", "Shor, Clarabel", "DNN, SCS",
             *(f"ours, {seconds:g} s" for seconds in times)],
            (row(result, times) for result in found),
        )  # fmt: skip
        print_table(["problem", "s", "gap"], courses(results))
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

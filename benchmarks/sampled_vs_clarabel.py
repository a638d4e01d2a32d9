"""The program on the same sampled patterns: ours against Clarabel."""

from __future__ import annotations

import argparse

from harness import median_time, network_objective, print_table, reference_problem, warm_up
from reference import solve_with_clarabel

import cvxnn

CASES = (("d1_n100", 1000), ("d2_n50", 300), ("d2_n50", 1000), ("d2_n50_beta1", 1000))


def compare(name: str, n_samples: int, repeats: int) -> list[object]:
    X, y, beta = reference_problem(name)
    patterns = cvxnn.sample_patterns(X, n_samples, 0)
    seconds, ours = median_time(
        lambda: cvxnn.solve(X, y, beta, method=cvxnn.Sampled(patterns=patterns)), repeats
    )
    program = cvxnn.ConvexProgram(X, y, beta, patterns)
    theirs = solve_with_clarabel(program, tol=1e-6)
    network = program.recover(theirs.Z)
    objective = network_objective(X, y, beta, network.hidden_weights, network.output_weights)
    return [
        name,
        len(patterns),
        f"{ours.objective:.9g}",
        f"{ours.program_gap:.1e}",
        ours.n_neurons,
        f"{seconds:.3f}",
        f"{objective:.9g}",
        f"{theirs.seconds:.3f}",
        f"{theirs.seconds / seconds:.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warm_up()
    rows = [compare(name, samples, arguments.repeats) for name, samples in CASES]
    print_table(
        ["problem", "patterns", "our objective", "gap of the program", "neurons", "our s",
         "Clarabel objective", "Clarabel s", "ratio"],
        rows,
    )  # fmt: skip


if __name__ == "__main__":
    main()

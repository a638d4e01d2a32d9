"""``cvxnn demo``: the ring data, solved."""

from __future__ import annotations

import typer

from cvxnn.cli.options import JsonOption, Method, MethodOption
from cvxnn.cli.reporting import exit_code

_BETA = 1e-4


def demo(method: MethodOption = Method.GLOBAL, json: JsonOption = False) -> None:
    """Solve the ring data of the paper (50 points, beta 1e-4) and show the certificate."""
    from cvxnn.cli.display import show_solution
    from cvxnn.cli.train import train
    from cvxnn.datasets import load_ring

    X, y = load_ring()
    # A fixed seed: two people who run the demo shall see the same.
    solution = train(X, y, _BETA, show_progress=True, method=method.value, random_state=0)
    title = f"ring: {len(X)} points in the plane and a bias -> label"
    show_solution(solution, title, as_json=json)
    raise typer.Exit(exit_code(solution.status))

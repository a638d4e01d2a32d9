"""What `print` shows of a solution and of a certificate."""

import math

import numpy as np
from perceptrons import perceptron
from runs import made_solution

import cvxnn
from cvxnn.networks import TwoLayerNetwork
from cvxnn.results import NetworkCertificate, Status, Verdict

NETWORK = TwoLayerNetwork([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0])


def words(thing):
    return " ".join(str(thing).split())


def certificate(**changed):
    others = {
        "objective": 2.0, "dual_bound": 1.5, "oracle_bound": 7.0, "objective_error": 0.0,
        "verdict": Verdict.UNDECIDED, "network": NETWORK, "has_ones": False,
        "balanced_objective": 2.0, "largest_value": 0.0, "improving_neuron": None,
        "better_network": None, "notes": (), "beta": 0.5, "tol": 1e-6, "interrupted": False,
        "elapsed": 1.0,
    }  # fmt: skip
    return NetworkCertificate(**(others | changed))


def test_a_solution_says_how_it_ended_and_what_is_known():
    solution = made_solution(NETWORK, 2.0, 1.0, advice="A larger beta narrows it.")
    text = words(solution)
    for part in (
        "STATIONARY: The search ended", "objective 2 ", "lower bound 1,", "gap 5.0e-01 (tol",
        "4 patterns", "neurons 2", "method exact, beta 0.1, 0 rounds", "A larger beta narrows it.",
    ):  # fmt: skip
        assert part in text, part
    assert max(map(len, str(solution).splitlines())) <= 96


def test_what_is_not_there_is_not_shown():
    solution = made_solution(NETWORK, 2.0, -math.inf, n_patterns=0, status=Status.TIME_LIMIT)
    text = words(solution)
    assert "lower bound none gap none" in text and "pattern" not in text
    assert "n_patterns" not in repr(solution)


def test_a_certificate_says_what_better_network_is_known():
    found = certificate(
        verdict=Verdict.IMPROVABLE, better_network=made_solution(NETWORK, 1.6, 1.5),
        notes=("A note.",), interrupted=True,
    )  # fmt: skip
    text = words(found)
    for part in (
        "IMPROVABLE: The network is not optimal", "gap 2.5e-01", "best found 1.6, of a network",
        "beta 0.5, 1.00 s, interrupted", "A note.",
    ):  # fmt: skip
        assert part in text, part
    assert "best found" not in str(certificate()) and "one more" not in str(certificate())
    # No bound on the objective: it is not beside those that are.
    assert "7" not in str(found) and "oracle_bound" not in repr(found)


def test_an_output_bias_that_is_a_neuron_here_is_told():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((12, 2)), rng.standard_normal(12)
    network = perceptron(rng.standard_normal((3, 3)), rng.standard_normal(3), 0.5)
    found = cvxnn.certify(network, X, y, beta=0.3)
    assert "neurons 4, as they were read" in words(found)
    assert all(words(note) in words(found) for note in found.notes)
    assert "output bias" in words(found) and "one more a neuron that lowers" in words(found)

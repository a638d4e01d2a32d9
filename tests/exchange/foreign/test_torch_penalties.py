"""Which beta a loss and a weight decay of torch correspond to, as the table of the docs says."""

import numpy as np
import pytest

from cvxnn.exchange.foreign import read_network
from cvxnn.losses import HuberLoss, as_loss

torch = pytest.importorskip("torch")
nn = torch.nn

RNG = np.random.default_rng(0)
N, DECAY = 12, 0.3
X = RNG.standard_normal((N, 3))
NUMBERS = RNG.standard_normal((N, 3))
# Targets here, by the loss; those of torch are the same but for labels of 0 and 1.
TARGETS = {
    "squared": NUMBERS,
    "absolute": NUMBERS,
    "logistic": np.where(NUMBERS > 0.0, 1.0, -1.0),
    "poisson": np.round(np.exp(NUMBERS)),
    "softmax": np.eye(3)[NUMBERS.argmax(axis=1)],
}
# A loss of torch, ours, and what beta is of w for n rows and c outputs.
TABLE = [
    (nn.MSELoss(), "squared", lambda n, c: n * c / 2.0),
    (nn.MSELoss(reduction="sum"), "squared", lambda n, c: 0.5),
    (nn.HuberLoss(delta=0.5), HuberLoss(0.5), lambda n, c: n * c),
    (nn.L1Loss(), "absolute", lambda n, c: n * c),
    (nn.BCEWithLogitsLoss(), "logistic", lambda n, c: n * c),
    (nn.BCEWithLogitsLoss(reduction="sum"), "logistic", lambda n, c: 1.0),
    (nn.PoissonNLLLoss(), "poisson", lambda n, c: n * c),
    (nn.CrossEntropyLoss(), "softmax", lambda n, c: n),
    (nn.CrossEntropyLoss(reduction="sum"), "softmax", lambda n, c: 1.0),
]
CASES = [(*row, c) for row in TABLE for c in (1, 3) if not (row[1] == "softmax" and c == 1)]


def values(theirs, ours, beta, y, seed):
    """The penalised loss of torch, and the objective here, of one network."""
    torch.manual_seed(seed)
    # With hidden biases alone: that of an output has another price here.
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, y.shape[1], bias=False))
    network = network.double()
    read = read_network(network)
    given = np.where(y > 0.0, y, 0.0) if ours == "logistic" else y
    with torch.no_grad():
        loss = theirs(network(torch.from_numpy(X)), torch.from_numpy(given))
        penalty = sum((weights**2).sum() for weights in network.parameters())
    targets = y[:, 0] if y.shape[1] == 1 else y
    objective = read.network.objective(read.data(X), targets, beta, as_loss(ours))
    return float(loss + 0.5 * DECAY * penalty), objective


@pytest.mark.parametrize(("theirs", "ours", "share", "c"), CASES)
def test_the_objective_of_torch_is_a_multiple_of_ours(theirs, ours, share, c):
    """But for a constant: the differences between three networks are in one ratio."""
    beta = DECAY * share(N, c)
    y = TARGETS.get(ours, NUMBERS)[:, :c] if isinstance(ours, str) else NUMBERS[:, :c]
    (first, second) = np.diff([values(theirs, ours, beta, y, seed) for seed in range(3)], axis=0)
    assert first[0] / first[1] == pytest.approx(DECAY / beta)
    assert second[0] / second[1] == pytest.approx(DECAY / beta)

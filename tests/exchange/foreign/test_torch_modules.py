"""Modules of torch: each network that is read has the values of the module, others are refused."""

import numpy as np
import pytest
from sentences import refused

import cvxnn
from cvxnn.exchange.foreign import read_network

torch = pytest.importorskip("torch")
nn = torch.nn
functional, Linear, ReLU, Sequential = nn.functional, nn.Linear, nn.ReLU, nn.Sequential

X = np.random.default_rng(0).standard_normal((20, 6))


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


class Net(nn.Module):
    """Two layers, and between them whatever a test wants."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.one, self.two = Linear(6, 5), Linear(5, 1)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.compute = forward

    def forward(self, x):
        return self.compute(self, x)


def norm(size, **options):
    """Normalisation with statistics and weights of its own."""
    layer = nn.BatchNorm1d(size, **options)
    with torch.no_grad():
        for tensor in (layer.running_mean, layer.weight, layer.bias):
            if tensor is not None:
                tensor.copy_(torch.randn(size))
        layer.running_var.copy_(torch.rand(size) + 0.1)
    return layer


class Functional(nn.Module):
    """Parameters of its own and no layer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(torch.randn(5, 6))
        self.last = nn.Parameter(torch.randn(1, 5))
        self.constant = nn.Parameter(torch.randn(1))

    def forward(self, x):
        hidden = functional.relu(functional.linear(x, self.first))
        return functional.linear(hidden, self.last, bias=self.constant)


class Buffers(Functional):
    """Weights that are no parameters."""

    def __init__(self):
        super().__init__()
        for name in ("first", "last", "constant"):
            value = getattr(self, name).detach()
            delattr(self, name)
            self.register_buffer(name, value)


def normalised():
    """With weights that are computed from their parameters."""
    model = Net(lambda net, x: net.two(net.one(x).relu()))
    nn.utils.parametrizations.weight_norm(model.one)
    return model


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.dropout = Linear(6, 5), norm(5), nn.Dropout(0.3)

    def forward(self, x):
        return self.dropout(torch.relu(self.norm(self.linear(x))))


class Named(Sequential):
    """A class of the user's that changes nothing."""


def sequential(*between, bias=True):
    return Sequential(Linear(6, 5, bias=bias), *between, Linear(5, 1, bias=bias))


def between(function, **layers):
    """What stands between the two layers, and layers in place of others."""
    return Net(lambda net, x: net.two(function(net.one(x))), **layers)


def before(function, **layers):
    """What the rows go through first."""
    return Net(lambda net, x: net.two(net.one(function(x)).relu()), **layers)


def after(function, **layers):
    """What becomes of the output."""
    return Net(lambda net, x: function(net.two(net.one(x).relu())), **layers)


def dropped(net, x):
    return net.two(functional.dropout(net.one(x).relu(), 0.5, net.training))


NETWORKS = {
    "dropout": lambda: sequential(ReLU(), nn.Dropout(0.5), nn.AlphaDropout()),
    "identity": lambda: Sequential(nn.Identity(), *sequential(ReLU()), nn.Flatten()),
    "no biases": lambda: sequential(ReLU(), nn.Dropout(0.1), bias=False),
    "flatten": lambda: Sequential(nn.Flatten(), *sequential(ReLU()), nn.Flatten(0)),
    "norm first": lambda: Sequential(norm(6), *sequential(ReLU())),
    "norm after Linear": lambda: sequential(norm(5), ReLU()),
    "norm of Linear without bias": lambda: sequential(norm(5), ReLU(), bias=False),
    "norm after ReLU": lambda: sequential(ReLU(), norm(5)),
    "norm at the end": lambda: Sequential(*sequential(ReLU()), norm(1)),
    "norm everywhere": lambda: Sequential(
        norm(6), norm(6), *sequential(norm(5), norm(5), ReLU(), norm(5)), norm(1)
    ),
    "norm without weights": lambda: sequential(norm(5, affine=False, eps=0.1), ReLU()),
    "nested": lambda: Sequential(
        Sequential(Linear(6, 5), Sequential(norm(5), ReLU())), Linear(5, 1)
    ),
    "a class of its own": lambda: Named(*sequential(norm(5), ReLU())),
    "a block": lambda: Sequential(Block(), Linear(5, 1)),
    "functional": Functional,
    "buffers": Buffers,
    "parametrized": normalised,
    "module": lambda: Net(lambda net, x: net.two(net.relu(net.one(x))), relu=ReLU()),
    "F.relu": lambda: between(functional.relu),
    "in place": lambda: between(lambda hidden: functional.relu(hidden, inplace=True)),
    "torch.relu": lambda: between(torch.relu),
    "relu()": lambda: between(lambda hidden: hidden.relu()),
    "clamp_min": lambda: between(lambda hidden: hidden.clamp_min(0.0)),
    "clamp": lambda: between(lambda hidden: torch.clamp(hidden, min=0)),
    "F.dropout": lambda: Net(dropped),
    "squeeze": lambda: after(lambda output: output.squeeze(-1)),
    "one column": lambda: after(lambda output: output[:, 0]),
    "view": lambda: Net(lambda net, x: net.two(net.one(x.view(-1, 6)).relu()).view(-1)),
    "view of the size": lambda: before(lambda x: x.view(x.size(0), -1)),
    "reshape to a row": lambda: after(lambda output: output.reshape(-1)),
    "reshape of the shape": lambda: before(lambda x: x.reshape(x.shape[0], -1)),
    "flatten()": lambda: after(lambda output: output.flatten()),
    "torch.flatten": lambda: before(lambda x: torch.flatten(x, 1)),
    "float": lambda: before(lambda x: x.double()),
}


def values(model, rows):
    with torch.no_grad():
        return model(torch.from_numpy(rows)).reshape(-1).numpy()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("dtype", "tol"), [("float64", 1e-10), ("float32", 1e-4)])
def test_networks_have_the_values_of_the_module(name, dtype, tol):
    if name == "float" and dtype == "float32":
        pytest.skip("This one is for double precision.")
    model = NETWORKS[name]().to(getattr(torch, dtype)).eval()
    read = read_network(model)
    expected = values(model, X.astype(dtype))
    assert read.n_features == 6 and read.loss == "squared"
    assert np.abs(read.network.forward(read.data(X)) - expected).max() <= tol
    # Reading leaves the module, and the state of its random numbers, as they were.
    assert not model.training and np.array_equal(values(model, X.astype(dtype)), expected)


@pytest.mark.parametrize("end", ["module", "torch", "method"])
def test_a_sigmoid_at_the_end_is_the_logistic_loss(end):
    model = {
        "module": lambda: Sequential(*sequential(norm(5), ReLU()), nn.Sigmoid(), nn.Flatten(0)),
        "torch": lambda: after(lambda output: torch.sigmoid(output).squeeze(1)),
        "method": lambda: after(lambda output: output.sigmoid()),
    }[end]()
    model = model.double().eval()
    read = read_network(model)
    chances = values(model, X)
    logits = read.network.forward(read.data(X))
    assert 1.0 / (1.0 + np.exp(-logits)) == pytest.approx(chances, abs=1e-12)
    labels = (np.arange(20) % 3 == 0).astype(int)
    certificate = cvxnn.certify(model, X, labels, 5.0, time_limit=0.02)
    # By hand: the cross entropy of torch, all squared weights, and the biases as they count here.
    entropy = functional.binary_cross_entropy(
        torch.from_numpy(chances), torch.from_numpy(labels).double(), reduction="sum"
    )
    expected = entropy.item() + 5.0 * read.network.penalty()
    assert certificate.objective == pytest.approx(expected, rel=1e-9)
    assert "The labels -1 and 1 are its classes 0 and 1." in certificate.notes
    assert "Its values are those before the Sigmoid." in certificate.notes
    for other in (labels == 1, labels.astype(float), torch.from_numpy(labels)):
        again = cvxnn.certify(model, X, other, 5.0, time_limit=0.02)
        assert again.objective == certificate.objective
    refused(lambda: cvxnn.certify(model, X, labels + 2, 5.0), "which are 0 and 1, got 3 at entry 0")
    if end == "module":
        refused(lambda: cvxnn.from_torch(model), "must end in Linear")


OUTPUTS = {
    "Linear": (lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 3)), None),
    "no bias": (lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 3, bias=False)), None),
    "norm at the end": (lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 3), norm(3)), None),
    "module": (lambda: after(lambda y: y, two=Linear(5, 3)), None),
    "Softmax": (lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 3), nn.Softmax(1)), "Softmax"),
    "LogSoftmax": (
        lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 3), nn.LogSoftmax(-1)), "LogSoftmax"
    ),
    "F.log_softmax": (
        lambda: after(lambda y: functional.log_softmax(y, dim=1), two=Linear(5, 3)), "LogSoftmax"
    ),
    "softmax()": (lambda: after(lambda y: y.softmax(-1), two=Linear(5, 3)), "Softmax"),
    "torch.softmax": (lambda: after(lambda y: torch.softmax(y, 1), two=Linear(5, 3)), "Softmax"),
}  # fmt: skip


def entropy_by_torch(logits, labels):
    given = torch.from_numpy(logits), torch.from_numpy(labels)
    return functional.cross_entropy(*given, reduction="sum").item()


@pytest.mark.parametrize("name", OUTPUTS)
def test_several_outputs_are_certified_by_the_loss_of_their_end(name):
    build, end = OUTPUTS[name]
    model = build().double().eval()
    read = read_network(model)
    logits = read.network.forward(read.data(X))
    with torch.no_grad():
        given = torch.from_numpy(logits)
        ends = {None: given, "Softmax": given.softmax(1), "LogSoftmax": given.log_softmax(1)}
        assert np.abs((model(torch.from_numpy(X)) - ends[end]).numpy()).max() <= 1e-12
    labels = np.arange(20) % 3
    loss = {} if end else {"loss": "softmax"}
    found = cvxnn.certify(model, X, labels, 3.0, time_limit=0.05, **loss)
    expected = entropy_by_torch(logits, labels) + 3.0 * read.network.penalty()
    assert found.objective == pytest.approx(expected, rel=1e-10)
    again = cvxnn.certify(model, X, torch.from_numpy(labels), 3.0, time_limit=0.05, **loss)
    assert again.objective == found.objective
    text = " ".join(found.notes)
    assert (end is not None) == ("Its outputs are for the classes 0, 1, 2" in text)
    assert (end is not None) == (f"Its values are those before the {end}." in text)
    if end is None:
        Y = np.column_stack([X[:, 0], labels, X[:, 1]])
        squared = cvxnn.certify(model, X, torch.from_numpy(Y), 3.0, time_limit=0.05)
        fit = 0.5 * ((logits - Y) ** 2).sum()
        assert squared.objective == pytest.approx(fit + 3.0 * read.network.penalty(), rel=1e-12)
    elif name == "Softmax":
        refused(lambda: cvxnn.from_torch(model), "through a Sigmoid or Softmax")


def test_sigmoids_of_several_outputs_are_questions_of_their_own():
    model = Sequential(Linear(6, 5), ReLU(), Linear(5, 3), nn.Sigmoid()).double()
    labels = (X[:, :3] > 0.0).astype(int)
    found = cvxnn.certify(model, X, labels, 5.0, time_limit=0.05)
    with torch.no_grad():
        chances = model(torch.from_numpy(X))
    entropy = functional.binary_cross_entropy(
        chances, torch.from_numpy(labels).double(), reduction="sum"
    )
    expected = entropy.item() + 5.0 * found.network.penalty()
    assert found.objective == pytest.approx(expected, rel=1e-9)


def test_a_network_that_torch_has_trained_on_classes_is_improved():
    rng = np.random.default_rng(0)
    data, labels = rng.standard_normal((20, 2)), np.arange(20) % 3
    model = Sequential(Linear(2, 20), ReLU(), Linear(20, 3)).double()
    optimizer = torch.optim.SGD(model.parameters(), 0.2, weight_decay=1.0 / 20)
    given, expected = torch.from_numpy(data), torch.from_numpy(labels)
    for _ in range(100):
        optimizer.zero_grad()
        functional.cross_entropy(model(given), expected).backward()
        optimizer.step()
    found = cvxnn.certify(model, data, labels, 1.0, loss="softmax", tol=1e-4)
    best = cvxnn.solve(
        np.column_stack([data, np.ones(20)]), np.eye(3)[labels], 1.0, loss="softmax", tol=1e-4
    )
    assert found.dual_bound == pytest.approx(best.objective, rel=2e-4)
    assert found.dual_bound <= best.objective <= found.objective


def test_a_trained_network_with_normalisation_is_certified_on_what_it_computes():
    model = sequential(norm(5), ReLU(), nn.Dropout(0.5)).double().eval()
    y = np.abs(X[:, 0])
    certificate = cvxnn.certify(model, X, y, 2.0, time_limit=1.0)
    network = certificate.network
    fit = 0.5 * ((values(model, X) - y) ** 2).sum()
    squares = (network.hidden_weights**2).sum() + (network.output_weights**2).sum()
    assert certificate.objective == pytest.approx(fit + squares, rel=1e-12)
    assert certificate.dual_bound <= certificate.objective
    assert any("BatchNorm1d is folded" in note for note in certificate.notes)


def test_images_become_rows():
    images = X.reshape(20, 2, 3)
    flat = Sequential(nn.Flatten(), *sequential(ReLU())).double()
    shaped = Net(lambda net, x: net.two(net.one(x.view(x.size(0), -1)).relu())).double()
    for model in (flat, shaped):
        read = read_network(model)
        assert np.abs(read.network.forward(read.data(images)) - values(model, images)).max() < 1e-12
        assert np.array_equal(read.data(images), read.data(X))
    refused(lambda: read_network(sequential(ReLU())).data(images), "X must be 2-D")


@pytest.mark.parametrize(
    "build",
    [
        lambda: sequential(ReLU(), nn.Dropout(0.5)),
        lambda: sequential(norm(5), ReLU()),
        lambda: sequential(norm(5, track_running_stats=True), ReLU(), nn.Dropout(0.5)),
        lambda: Net(lambda net, x: net.two(net.drop(net.one(x).relu())), drop=nn.Dropout()),
        lambda: Net(dropped),
        lambda: Sequential(Block(), Linear(5, 1)),
    ],
)
def test_training_mode_is_refused_where_it_matters(build):
    model = build().train()
    refused(lambda: read_network(model), r"in training mode, .* call its .eval\(\) first.")
    read_network(model.eval())


def test_dropout_that_drops_nothing_may_be_in_training_mode():
    model = sequential(ReLU(), nn.Dropout(0.0)).double().train()
    read = read_network(model)
    assert np.abs(read.network.forward(read.data(X)) - values(model, X)).max() <= 1e-12


def asks(net, x):
    value = net.two(net.one(x).relu())
    return 2.0 * value if isinstance(x, torch.Tensor) else value


def doubled_unused(net, x):
    hidden = net.one(x).relu()
    hidden.mul_(2.0)
    return net.two(hidden)


def doubling(kind, method="forward"):
    """A class of the user's that computes something else."""

    def doubled(self, rows):
        return 2.0 * getattr(kind, method)(self, rows)

    return type("Doubled", (kind,), {method: doubled})


def with_own(method):
    return Sequential(doubling(Linear, method)(6, 5), ReLU(), Linear(5, 1))


def times_two(net, x):
    return net.two(functional.linear(x, net.one.weight * 2).relu())


PAIR = r"got a (Sequential|Doubled)\(.*\); .* as a pair"
COLUMNS = "a BatchNorm1d of 3 columns, and the Linear beside it has 5"
WITHOUT_STATISTICS = {"track_running_stats": False}
REFUSED = {
    "ReLU first": (lambda: Sequential(ReLU(), Linear(6, 3), Linear(3, 1)), r"l\(ReLU, Linear"),
    "one layer in a Sequential": (lambda: Sequential(Linear(6, 1)), r"got a Sequential\(Linear\);"),
    "a Linear with its own forward": (lambda: with_own("forward"), PAIR),
    "a Linear with its own call": (lambda: with_own("__call__"), PAIR),
    "own forward": (lambda: doubling(Sequential)(*sequential(ReLU())), PAIR),
    "Tanh": (lambda: sequential(nn.Tanh()), r"got a Sequential\(Linear, Tanh, Linear\)"),
    "LeakyReLU": (lambda: sequential(nn.LeakyReLU()), "LeakyReLU"),
    "ReLU6": (lambda: sequential(nn.ReLU6()), "ReLU6"),
    "LayerNorm": (lambda: sequential(nn.LayerNorm(5), ReLU()), "LayerNorm"),
    "BatchNorm2d": (lambda: sequential(nn.BatchNorm2d(5), ReLU()), "BatchNorm2d"),
    "batch": (lambda: sequential(nn.BatchNorm1d(5, **WITHOUT_STATISTICS), ReLU()), "BatchNorm1d"),
    "norm of another size after": (lambda: sequential(nn.BatchNorm1d(3), ReLU()), COLUMNS),
    "norm of another size before": (
        lambda: Sequential(nn.BatchNorm1d(2), nn.Flatten(), *sequential(ReLU())), "BatchNorm1d"
    ),
    "one layer": (lambda: Linear(6, 1), r"got a Linear\(Linear\)"),
    "three layers": (
        lambda: Sequential(*sequential(ReLU()), ReLU(), Linear(1, 1)), "ReLU, Linear, ReLU, Linear"
    ),
    "two linear layers": (lambda: sequential(Linear(5, 5), ReLU()), "Linear, Linear, ReLU"),
    "ReLU at the end": (lambda: Sequential(*sequential(ReLU()), ReLU()), "Linear, ReLU"),
    "Sigmoid inside": (lambda: sequential(ReLU(), nn.Sigmoid()), "Sigmoid"),
    "flatten of hidden rows": (lambda: sequential(ReLU(), nn.Flatten(0)), "Flatten"),
    "convolution": (
        lambda: Sequential(nn.Conv1d(1, 5, 6), ReLU(), nn.Flatten(), Linear(5, 1)), "Conv1d"
    ),
    "skip": (lambda: Net(lambda net, x: net.two(net.one(x).relu()) + x[:, :1]), "add"),
    "factor": (lambda: after(lambda output: 2 * output), "mul"),
    "absolute values": (lambda: between(lambda hidden: hidden.abs()), "abs"),
    "clamp to an end": (lambda: between(lambda hidden: hidden.clamp(0, 1)), "clamp"),
    "clamp at one": (lambda: between(lambda hidden: hidden.clamp_min(1)), "clamp_min"),
    "dropout always": (lambda: between(lambda h: functional.dropout(h.relu())), "dropout"),
    "in place, unused": (lambda: Net(doubled_unused), "mul_"),
    "another row": (lambda: after(lambda output: output[0]), "getitem"),
    "rows cut": (lambda: before(lambda x: x.view(-1, 3), one=Linear(6, 5)), "keep the rows of X"),
    "weights made on the way": (
        lambda: Net(lambda net, x: net.two(functional.linear(x, torch.ones(5, 6)).relu())),
        "linear with weights that are no parameters",
    ),
    "weights of the layer twice": (lambda: Net(times_two), "mul"),
    "way that depends on the data": (
        lambda: Net(lambda net, x: net.two(net.one(x).relu()) if x.sum() > 0 else x),
        "cannot be traced",
    ),
    "way that depends on the type": (lambda: Net(asks), "something else than its trace"),
    "two outputs as one column": (
        lambda: after(lambda y: y[:, 0], two=Linear(5, 2)), "its 2 outputs, and its getitem makes"
    ),
    "two outputs in one": (
        lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 2), nn.Flatten(0)),
        "its 2 outputs, and its Flatten makes one",
    ),
    "softmax of one output": (
        lambda: Sequential(*sequential(ReLU()), nn.Softmax(1)), "and its Softmax needs several"
    ),
    "softmax of columns": (
        lambda: Sequential(Linear(6, 5), ReLU(), Linear(5, 2), nn.Softmax(0)),
        "The Softmax at the end .* give it dim=1",
    ),
    "softmax of what is not said": (
        lambda: after(lambda y: functional.softmax(y), two=Linear(5, 2)),
        "The softmax at the end .* give it dim=1",
    ),
    "two values": (
        lambda: Net(lambda net, x: (net.two(net.one(x).relu()), x)),
        r"Linear, relu, Linear, more than one output\)",
    ),
    "a tuple": (lambda: after(lambda output: (output,)), "more than one output"),
    "no output": (lambda: Net(lambda net, x: None), "got a Net"),
    "nothing": (lambda: Net(lambda net, x: x), r"got a Net\(\)"),
    "layers of other sizes": (
        lambda: after(lambda y: y, two=Linear(4, 1)), "5 hidden neurons, but its last layer reads 4"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_modules_are_refused_in_one_sentence(name):
    build, words = REFUSED[name]
    refused(lambda: read_network(build().eval()), words)


def test_a_forward_with_two_arguments_is_refused():
    class Two(Net):
        def forward(self, x, mask=None):
            value = self.two(self.one(x).relu())
            return value if mask is not None else 2.0 * value

    refused(lambda: read_network(Two(asks)), "must take X alone, got 2 arguments")


@pytest.mark.parametrize("place", ["", "one", "inner.norm"])
def test_hooks_anywhere_are_refused(place):
    model = Net(lambda net, x: net.two(net.inner(x)), inner=Block()).eval()
    read_network(model)
    model.get_submodule(place).register_forward_hook(lambda *_: None)
    refused(lambda: read_network(model), "has hooks or a forward of its own")


def test_one_feature_may_be_made_a_column():
    model = Net(lambda net, x: net.two(net.one(x.view(-1, 1)).relu()).view(-1, 1))
    model.one = Linear(1, 5)
    read = read_network(model.double())
    data = X[:, :1].copy()
    assert np.abs(read.network.forward(read.data(data)) - values(model, data)).max() <= 1e-12


def test_reading_leaves_no_trace_in_the_module():
    model = after(lambda output: output * torch.tensor(2.0))
    names = set(vars(model))
    refused(lambda: read_network(model), "mul")
    assert set(vars(model)) == names


def test_weights_and_statistics_that_are_nan_are_named():
    model = Net(lambda net, x: net.two(net.norm(net.one(x)).relu()), norm=norm(5)).eval()
    model.norm.running_mean[2] = np.nan
    refused(lambda: read_network(model), r"network.norm.running_mean must be finite, got 1 NaN")
    model = Sequential(Sequential(Linear(6, 5), ReLU()), Linear(5, 1))
    model[0][0].weight.data[1, 1] = np.inf
    refused(lambda: read_network(model), r"network\[0\]\[0\].weight must be finite")


def test_random_numbers_of_torch_stay_where_they_are():
    model = Net(lambda net, x: net.two(net.one(x).relu()))
    state = torch.get_rng_state()
    read_network(model)
    assert torch.equal(torch.get_rng_state(), state)

"""Certificates of solutions: accepted as they are, refused when changed, and never believed."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tampering
from contracts import cases
from contracts.cases import CASES
from problems import PROBLEMS, SMALL_PROBLEMS, each_with_long, optimum_of
from variants import with_long

import cvxnn
import cvxnn.verification
from cvxnn import BoundCertificate, InputError, ModelFileError
from cvxnn.verification.evidence import ConeSplits
from cvxnn.verification.models import CHECKED
from cvxnn.verification.parts import EVIDENCE, PartsEvidence

# What may be used by a checker: none of it knows of networks, searches or proofs.
ALLOWED = {"archives", "array_types", "backends", "errors", "files", "verification"}
# Of the contracts, what is not checked yet.
UNCHECKED = {"maxima", "maxima, biases and steps"}


def solved(X, y, beta=0.3, **options):
    solution = cvxnn.solve(X, y, beta, **options)
    return solution, solution.certificate


@pytest.fixture(scope="module")
def plane():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((30, 2)), np.ones(30)])
    return X, rng.standard_normal(30)


@with_long("method", ["global", "exact"])
@each_with_long(PROBLEMS)
def test_certificates_of_the_reference_problems_are_accepted(problem, method):
    solution, certificate = solved(problem.X, problem.y, problem.beta, method=method)
    report = certificate.verify(problem.X, problem.y, network=solution.network)
    assert report.accepted and report.reason == "" and report.is_recomputed
    assert report.bound >= solution.dual_bound - 1e-7 * solution.objective
    assert report.bound <= solution.objective + solution.objective_error
    assert report.objective >= solution.objective - solution.objective_error
    assert report.objective <= solution.objective * (1.0 + 1e-10) + solution.objective_error
    stored = BoundCertificate.from_bytes(certificate.recorded(problem.X, problem.y).to_bytes())
    again = stored.verify(problem.X, problem.y)
    assert again.accepted and again.bound >= solution.dual_bound - 1e-7 * solution.objective
    if problem in SMALL_PROBLEMS:
        # Clarabel's optimum has eight digits or so.
        assert report.bound <= optimum_of(problem) * (1.0 + 1e-6)


# Of these, the pieces that a checker puts together are in other kinds, too.
LIKE_OTHERS = {
    "modulus and skip", "moduli of filters", "leaky filters", "steep", "drawn gates",
    "gates and skip", "monotone",
}  # fmt: skip


def kinds_with_losses():
    """Each kind with its first loss, and with one of the others, in turn, in a long test."""
    for place, case in enumerate(CASES.values()):
        first, *others = case.losses
        marks = pytest.mark.long if case.name in LIKE_OTHERS else ()
        yield pytest.param(case, first, marks=marks, id=f"{case.name}-{first}")
        if others:
            loss = others[place % len(others)]
            yield pytest.param(case, loss, marks=pytest.mark.long, id=f"{case.name}-{loss}")


@pytest.mark.parametrize(("case", "loss"), [*kinds_with_losses()])
def test_certificates_of_every_kind_of_network(case, loss):
    X, y = case.data(loss)
    solution = cases.solved(case.name, loss, case.methods[0])
    if case.name in UNCHECKED or ("free" in case.name and loss != "squared"):
        with pytest.raises(InputError, match="cannot be checked independently yet"):
            solution.certificate.verify(X, y)
        return
    report = solution.certificate.verify(X, y, network=solution.network)
    assert report.accepted, report.reason
    assert abs(report.bound - solution.dual_bound) <= 1e-6 * solution.objective
    assert report.bound <= cases.lowest(case.name, loss) * (1.0 + 1e-9)


@pytest.mark.long
@pytest.mark.parametrize("loss", ["logistic", "squared", cvxnn.HuberLoss(0.5)])
def test_weights_and_intercepts(plane, loss):
    X, y = plane
    y = np.sign(y) if loss == "logistic" else y
    weights = np.random.default_rng(1).uniform(0.2, 3.0, len(y))
    weights[:4] = 0.0
    solution, certificate = solved(X, y, loss=loss, sample_weight=weights, intercept=True)
    report = certificate.verify(X, y, weights, network=solution.network)
    assert report.accepted and report.gap <= 1e-6
    # Rows of weight 0 are no rows; others of another weight are another problem.
    moved = X.copy()
    moved[0] += 1.0
    assert certificate.verify(moved, y, weights, fingerprint=False).bound == report.bound
    assert not certificate.verify(X, y, 2.0 * weights, network=solution.network).accepted
    with pytest.raises(InputError, match="is for 26 rows, and there are 30"):
        certificate.verify(X, y)


def test_a_dual_point_beside_an_intercept_needs_the_sum_zero(plane):
    X, y = plane
    solution, _ = solved(X, y, intercept=True)
    # Without this the bound would be that without an intercept, which is above.
    lone, other = solved(X, y)
    assert lone.objective > solution.objective
    mixed = replace(other, intercept=True).sealed()
    report = mixed.verify(X, y, fingerprint=False)
    assert not report.accepted and report.bound <= solution.objective


@pytest.mark.parametrize("slope", [0.0, -1.0])
@with_long("intercept", [True, False])
def test_a_free_skip_connection(plane, slope, intercept):
    X, y = plane
    X, y, weights = X[:, : 3 - intercept], y + 3.0 * X[:, 0], np.linspace(0.5, 2.0, 30)
    # At a small beta flipped kinks make a linear function for nothing.
    options = {"beta": 6.0, "intercept": intercept, "sample_weight": weights}
    solution, certificate = solved(X, y, model=cvxnn.ReLU(slope, "free"), **options)
    report = certificate.verify(X, y, weights, network=solution.network)
    assert report.accepted and report.gap <= 1e-6
    # A dual point that does not vanish on X: of networks without a skip connection, above these.
    _, other = solved(X, y, model=cvxnn.ReLU(slope), **options)
    mixed = replace(other, settings=certificate.settings).sealed()
    assert other.dual_bound > solution.objective
    report = mixed.verify(X, y, weights, fingerprint=False)
    assert not report.accepted and report.bound <= solution.objective


@pytest.mark.parametrize("apart", [0.0, pytest.param(1e-9, marks=pytest.mark.long)])
def test_a_free_skip_connection_on_columns_that_depend_on_each_other(plane, apart):
    """A combination of columns that is next to nothing moves the dual point by next to nothing."""
    # Few rows: columns that are independent are of a rank at which proofs take long.
    X, y = (part[:12] for part in plane)
    weights = np.linspace(0.5, 2.0, 12)
    weights[0] = 1e-9
    twice = np.column_stack([X, X[:, 0]])
    twice[0, -1] += apart
    solution, certificate = solved(
        twice, y, 3.0, model=cvxnn.ReLU(skip="free"), sample_weight=weights
    )
    v = certificate.v.copy()
    v[0] += 1e-18
    certificate = replace(certificate, v=v).sealed()
    report = certificate.verify(twice, y, weights, network=solution.network)
    assert report.accepted and report.bound <= solution.objective
    assert report.bound >= solution.dual_bound * (1.0 - 1e-9)
    _, other = solved(twice, y, 3.0, model=cvxnn.ReLU(), sample_weight=weights)
    assert other.dual_bound > solution.objective
    mixed = replace(other, settings=certificate.settings).sealed()
    report = mixed.verify(twice, y, weights, fingerprint=False)
    assert not report.accepted and report.bound <= solution.objective


def test_a_free_skip_connection_on_columns_that_depend_but_for_rounding(plane):
    """A search takes the difference for zero; what vanishes on it exactly is another v."""
    X, y = plane
    twice = np.column_stack([X, X[:, 0] + X[:, 1]])
    assert np.linalg.matrix_rank(twice) == 3
    _, certificate = solved(twice, y, 6.0, model=cvxnn.ReLU(skip="free"))
    with pytest.raises(InputError, match="depend on each other but for rounding"):
        certificate.verify(twice, y)


@pytest.mark.long
def test_multipliers_of_the_relaxation():
    case = tampering.relaxed_case(seconds=1.0)
    certificate = case.certificate
    assert certificate.kind == "relaxation" and certificate.evidence.kind == "multipliers"
    stored = BoundCertificate.from_bytes(certificate.to_bytes())
    report = stored.verify(case.X, case.y, network=case.network)
    assert report.accepted and report.how == "multipliers of products of rows"
    assert certificate.dual_bound * (1.0 - 1e-7) <= report.bound <= report.objective
    # Others are worth less, or nothing.
    arrays = stored.evidence.arrays
    none = {name: 0 * array for name, array in arrays.items() if array.dtype == np.float32}
    evidence = type(stored.evidence).read({**arrays, **none}, stored.evidence.numbers)
    other = replace(certificate, evidence=evidence).verify(case.X, case.y, fingerprint=False)
    assert not other.accepted and other.bound < report.bound


@pytest.mark.long
def test_leaves_above_the_relaxation():
    case = tampering.case_of("leaves")
    certificate = case.certificate
    assert certificate.kind == "relaxation" and certificate.evidence.kind == "leaves"
    stored = BoundCertificate.from_bytes(certificate.to_bytes())
    report = stored.verify(case.X, case.y, network=case.network)
    assert report.accepted and "leaves of a tree of signs" in report.how
    assert certificate.dual_bound * (1.0 - 1e-7) <= report.bound <= report.objective
    # Leaves in the places of others are worth less.
    evidence = replace(stored.evidence, leaves=stored.evidence.leaves[::-1])
    other = replace(stored, evidence=evidence).verify(case.X, case.y, fingerprint=False)
    assert not other.accepted and other.bound < report.bound


def test_a_sum_over_parts_of_the_rows(plane):
    X, y = plane
    solution, certificate = solved(X, y, beta=0.9)
    members, beta = np.arange(30) % 3, 0.3
    # A part alone, with its share of beta: together they are a dual point of all rows.
    alone = [solved(X[members == k], y[members == k], beta)[1] for k in range(3)]
    v = np.empty(30)
    for k, part in enumerate(alone):
        v[members == k] = part.v * min(1.0, beta / part.level)
    evidence = PartsEvidence(members, np.full(3, beta), (None, None, None))
    bound = sum(part.dual_bound for part in alone)
    whole = replace(
        certificate, v=v, level=0.9, dual_bound=bound, kind="parts", evidence=evidence
    ).sealed()
    stored = BoundCertificate.from_bytes(whole.to_bytes())
    report = stored.verify(X, y, network=solution.network)
    assert report.accepted and report.how == "a sum over parts of the rows"
    assert bound * (1.0 - 1e-6) <= report.bound <= solution.objective
    recorded = tuple(
        part.recorded(X[members == k], y[members == k]).evidence for k, part in enumerate(alone)
    )
    whole = replace(whole, evidence=replace(evidence, parts=recorded)).sealed()
    stored = BoundCertificate.from_bytes(whole.to_bytes())
    assert stored.verify(X, y).accepted
    units = stored.evidence.in_units(2.0, 4.0)
    assert (units.levels == 8.0 * evidence.levels).all()
    wrong = replace(whole, evidence=replace(evidence, part_of_row=members[:5])).sealed()
    with pytest.raises(InputError, match="parts of the certificate"):
        wrong.verify(X, y)


@pytest.mark.long
def test_splits_save_the_search_and_can_be_left_out(plane, monkeypatch):
    X, y = plane
    _, certificate = solved(X, y)
    recorded = certificate.recorded(X, y)
    assert isinstance(recorded.evidence, ConeSplits) and recorded.recorded(X, y) is recorded
    assert "followed" in recorded.verify(X, y).how and "searched" in certificate.verify(X, y).how
    assert recorded.verify(X, y).bound == certificate.verify(X, y).bound
    monkeypatch.setattr(cvxnn.verification.certificate, "LARGEST_FILE", 100)
    smaller = BoundCertificate.from_bytes(recorded.to_bytes())
    assert smaller.evidence is None and smaller.verify(X, y).accepted
    words = "(left out of the file, for its size: a tree of cones, its splits followed)"
    assert words in smaller.verify(X, y).how and smaller.left_out == recorded.evidence.words
    # What was left out is not said of one that was whole, nor forgotten in the next file.
    assert "left out" not in certificate.verify(X, y).how
    monkeypatch.undo()
    assert BoundCertificate.from_bytes(smaller.to_bytes()).left_out == smaller.left_out


def test_a_report_says_what_it_is_about(plane):
    X, y = plane
    _, certificate = solved(X, y, loss=cvxnn.HuberLoss(0.5))
    report = certificate.verify(X, y)
    assert (report.beta, report.loss, report.network) == (0.3, "huber(delta=0.5)", "relu")
    assert str(report).startswith("Confirmed: relu, huber(delta=0.5) loss, beta 0.3.\n")


def test_on_other_data_a_certificate_has_no_objective_of_its_own(plane):
    X, y = plane
    solution, certificate = solved(X, y)
    other = certificate.verify(X, 2.0 * y)
    assert str(other).startswith("Not confirmed (The data are not those that the certificate was")
    assert np.isnan(other.objective) and np.isnan(other.gap) and other.bound > 0.0
    assert str(other).endswith("objective    none that is known for this problem and these data")
    # That of a network is one there, too.
    given = certificate.verify(X, 2.0 * y, network=solution.network)
    assert given.is_recomputed and not given.accepted and given.gap > 0.0


def test_changes_are_found_and_nothing_wrong_is_accepted():
    rng = np.random.default_rng(0)
    names = ("rank two", "weights", "gates", "signs")
    # benchmarks/tampering.py makes thousands.
    for index in range(12):
        case = tampering.case_of(names[index % len(names)])
        change = tampering.changed(case, rng)
        assert tampering.is_refused(case, change), (index, case.name, change.what)
        assert tampering.verdict_when_sealed(case, change) != "wrong", (index, case.name)


def test_a_bound_that_is_too_high_is_seen_as_one(plane):
    # The tests above would see a checker that believes what it reads.
    X, y = plane
    solution, certificate = solved(X, y)
    case = tampering.Case("plane", certificate, solution.network, X, y)

    class Believer(BoundCertificate):
        def verify(self, *args, **options):
            return replace(super().verify(*args, **options), bound=1.1 * solution.objective)

        def sealed(self):
            return self

    fields = {name: getattr(certificate, name) for name in certificate.__dataclass_fields__}
    change = tampering.Change("bound", Believer(**fields), X, y)
    assert tampering.verdict_when_sealed(case, change) == "wrong"


def test_claims_that_are_not_proven_are_refused_in_a_sentence(plane):
    X, y = plane
    solution, certificate = solved(X, y)
    for name, value, words in [
        ("dual_bound", 1.001 * solution.objective, "claims a bound of"),
        ("objective", 0.5 * solution.objective, "claims an objective of"),
        ("dual_bound", np.nan, "no number"),
        ("beta", 0.1, "claims a bound of"),
        ("v", 2.0 * certificate.v * np.where(y > 0, 1.0, 0.5), "claims a bound of"),
        ("v", np.full(30, np.inf), "claims a bound of"),
    ]:
        changed = replace(certificate, **{name: value}).sealed()
        report = changed.verify(X, y, network=solution.network, fingerprint=False)
        assert not report.accepted and words in report.reason
        assert report.bound <= solution.objective
    altered = replace(certificate, level=1.0).verify(X, y)
    assert altered.reason == "The certificate was changed after it was made."
    assert certificate.verify(X, y + 1e-9).reason.startswith("The data are not those")


def test_what_cannot_be_checked_is_said(plane):
    X, y = plane
    _, certificate = solved(X, y)
    for fields, words in [
        ({"model": "Ranking"}, "certificate of Ranking cannot be checked independently yet"),
        ({"loss": {"name": "Mine"}}, "the loss Mine cannot be checked independently yet"),
        ({"loss": {"name": "huber", "delta": -1.0}}, "parameters that are none"),
        ({"loss": {"name": "squared", "delta": 1.0}}, "parameters that are none"),
        ({"settings": {"slope": None}}, "slope that is no number"),
        ({"model": "gated"}, "without its gates"),
        ({"model": "linear_conv"}, "patches of shape"),
        ({"v": certificate.v[:5]}, "is for 5 rows, and there are 30"),
    ]:
        with pytest.raises(InputError, match=words):
            replace(certificate, **fields).verify(X, y)
    for arguments, words in [
        ((X[:, 0], y), "same number of rows"),
        ((X, y[:3]), "same number of rows"),
        ((X, y, -np.ones(30)), "at least 0"),
        ((X, ["a"] * 30), "y must be an array of real numbers"),
        ((X + 1j, y), "X must be an array of real numbers"),
        ((np.full_like(X, np.nan), y), "X must be finite"),
    ]:
        with pytest.raises(InputError, match=words):
            certificate.verify(*arguments)
    with pytest.raises(InputError, match="must be a Network"):
        certificate.verify(X, y, network="network")


def test_files_alone_and_with_a_network(plane, tmp_path):
    X, y = plane
    solution, certificate = solved(X, y)
    alone, beside, without = (tmp_path / f"{name}.npz" for name in ("alone", "beside", "without"))
    certificate.save(alone)
    solution.network.save(beside, {"beta": 0.3}, certificate)
    solution.network.save(without)
    assert cvxnn.load_network(beside) == (solution.network, {"beta": 0.3})
    for path in (alone, beside):
        loaded = cvxnn.load_certificate(path)
        assert loaded.digest == certificate.digest and loaded.verify(X, y).accepted
    with pytest.raises(InputError, match="has no certificate"):
        cvxnn.load_certificate(without)
    with pytest.raises(InputError, match=r"got 'a\.skops', a model .*; 'cvxnn verify' checks that"):
        cvxnn.load_certificate("a.skops")
    with pytest.raises(InputError, match=r"must end in \.npz"):
        certificate.save(tmp_path / "certificate.txt")
    content = alone.read_bytes()
    for broken in (content[:-1], content[: len(content) // 2], b"", content[1:]):
        with pytest.raises(ModelFileError, match="is damaged"):
            BoundCertificate.from_bytes(broken)
    alone.write_bytes(content[:-1])
    with pytest.raises(ModelFileError, match="is damaged"):
        cvxnn.load_certificate(alone)


def test_the_certificate_of_certify(plane):
    X, y = plane
    found = cvxnn.certify(cvxnn.solve(X, y, 0.3).network, X, y, 0.3)
    report = found.certificate.verify(X, y, network=found.network)
    assert report.accepted and report.bound == pytest.approx(found.dual_bound, rel=1e-7)


def test_a_checker_uses_nothing_of_what_it_checks():
    room = Path(cvxnn.verification.__file__).parent
    for path in room.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                first, *rest = name.split(".")
                assert first not in ("scipy", "numba", "clarabel", "sklearn"), path
                assert first != "cvxnn" or rest[0] in ALLOWED, (path, name)


def test_registries():
    assert {kind.kind for kind in EVIDENCE.values()} == set(EVIDENCE)
    assert {model.kind for model in CHECKED.values()} == set(CHECKED)


@pytest.mark.long
def test_multipliers_of_rows_of_zeros():
    """Their weights move no bound: what a neuron makes of them is 0."""
    case = tampering.relaxed_case(seconds=0.3)
    zeros = np.zeros((5, case.X.shape[1]))
    X, y = np.vstack([case.X, zeros]), np.append(case.y, np.full(5, 3.0))
    padded = tampering.relaxed(X, y, case.certificate.beta, 0.5)
    report = padded.certificate.verify(X, y, network=padded.network)
    assert report.accepted and report.how == "multipliers of products of rows"


def test_claims_do_not_widen_the_slack(plane):
    X, y = plane
    solution, certificate = solved(X, y, beta=0.9)
    for dual_bound, objective in ((2.0 * solution.objective, 1e9), (1e5, 1e300)):
        forged = replace(certificate, dual_bound=dual_bound, objective=objective).sealed()
        for network in (None, solution.network):
            report = forged.verify(X, y, network=network)
            assert not report.accepted and report.bound <= solution.objective * (1.0 + 1e-9)


@pytest.mark.parametrize("loss", [{"name": ["squared"]}, {"name": "huber", "delta": "a"}])
def test_losses_that_are_none(plane, loss):
    X, y = plane
    _, certificate = solved(X, y, beta=0.9)
    with pytest.raises(InputError):
        replace(certificate, loss=loss).verify(X, y, fingerprint=False)

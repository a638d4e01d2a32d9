"""Certificates of lower bounds: what is needed to recompute one from the data alone."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike

from cvxnn.archives import npz_bytes, read_npz, with_seal, without_seal
from cvxnn.array_types import Array, FloatArray
from cvxnn.errors import InputError, ModelFileError
from cvxnn.files import DAMAGE, atomic_write
from cvxnn.verification.balance import with_sum_zero, with_sums_zero
from cvxnn.verification.data import fingerprint_of, floats
from cvxnn.verification.deadline import Deadline
from cvxnn.verification.evidence import Evidence
from cvxnn.verification.outputs.softmax import SoftmaxDual
from cvxnn.verification.parts import EVIDENCE
from cvxnn.verification.report import Verification
from cvxnn.verification.stated import StatedProblem

FORMAT = 1
# Bytes of a file; evidence that is larger is left out, and found again by a check.
LARGEST_FILE = 50_000_000
# By how much a recomputed bound may be below the one that is claimed, relative to the larger of
# bound and objective: both are rounded down, each in its own way. See also `Evidence.slack`.
_SLACK = 1e-7
_ALTERED = "The certificate was changed after it was made."
_UNFINISHED = "The time was up before the check had come to its end."
_CHANGED = "The data are not those that the certificate was made for."


@final
@dataclass(frozen=True, eq=False)
class BoundCertificate:
    """A lower bound on the optimum, and what it takes to recompute it from the data.

    What it says: for the data whose fingerprint it has, with this model, loss and beta, no
    network has an objective below `dual_bound`. Why: a dual point v whose values
    ``|v'phi(u)|`` on unit neurons are at most `level`, of several outputs ``||v'phi(u)||``.

    Attributes
    ----------
    model : str
        The name of the model.
    settings : dict
        Its settings, as JSON holds them.
    arrays : dict
        Those of its settings that are arrays.
    loss : dict
        Its name, and its parameters by name.
    beta : float
    intercept : bool
        Whether there is one beside the neurons.
    v : ndarray, shape (n,), or (n, c) for several outputs
        For the rows of a weight above 0.
    level : float
    dual_bound : float
    objective : float
        Of the network that was found, its rounding included.
    kind : str
        What has proven the level, such as an oracle or a relaxation.
    evidence : Evidence or None
        What helps to check the level.
    fingerprint : str
        Of X, y and the weights of the rows.
    digest : str
        Of all of this: it tells a damaged certificate, and nothing rests on it.
    left_out : str
        What evidence there was, where a file would have been larger than 50 MB with it.
    has_ones : bool
        Whether :func:`cvxnn.certify` has appended a column of ones to X, for the biases of the
        network. Then a check does so, too, where X comes without it.

    Examples
    --------
    >>> import cvxnn
    >>> X, y = [[1.0], [2.0]], [1.0, 1.0]
    >>> certificate = cvxnn.solve(X, y, beta=1.5).certificate
    >>> report = certificate.verify(X, y)
    >>> report.accepted, f"{report.bound:.3f}", report.how
    (True, '0.775', 'rows sorted by angle, exactly')
    >>> certificate.verify(X, [1.0, 1.1]).reason
    'The data are not those that the certificate was made for.'
    """

    model: str
    settings: Mapping[str, Any]
    arrays: Mapping[str, Array]
    loss: Mapping[str, Any]
    beta: float
    intercept: bool
    v: FloatArray
    level: float
    dual_bound: float
    objective: float
    kind: str
    evidence: Evidence | None
    fingerprint: str
    digest: str = field(default="", repr=False)
    left_out: str = ""
    has_ones: bool = False

    def sealed(self) -> BoundCertificate:
        """With the digest of what it holds."""
        return replace(self, digest=self._digest())

    def verify(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        network: object | None = None,
        fingerprint: bool = True,
        time_limit: float | None = 60.0,
        stopped: Callable[[], bool] | None = None,
    ) -> Verification:
        """Recompute the bound, and hold it against the one that is claimed.

        Parameters
        ----------
        X, y, sample_weight : array-like
            As they were given to :func:`cvxnn.solve`, or X to :func:`cvxnn.certify`, with or
            without the column of ones that it appends; targets as the loss takes them, labels
            as -1 and 1.
        network : Network, optional
            Whose objective is recomputed, too. One that is none of the networks that the
            certificate is about, by its kind, a setting, a gate or an intercept, is refused
            for that, and its objective is not held against the bound.
        fingerprint : bool, default True
            Whether data other than those of the certificate, and a certificate that was
            changed, are refused for that. The bound in the report is a theorem about the data
            that are given here either way.
        time_limit : float, optional
            Seconds after which a search ends with what it has proven so far; None for none.
        stopped : callable, optional
            Asked now and then whether it is to end before, as for Ctrl-C.

        Returns
        -------
        Verification

        Raises
        ------
        InputError
            If the arguments are not as described, do not suit the certificate, or this kind of
            certificate cannot be checked independently yet.

        Notes
        -----
        Nothing of the certificate is trusted. The dual point may be any: the largest value
        that it has on a neuron is bounded anew, and the bound is that of the dual problem. Beside
        an intercept entries of v are changed until their sum is 0 exactly. See
        :doc:`/guide/certificates`.
        """
        start = perf_counter()
        if time_limit is not None and not time_limit > 0.0:
            raise InputError(f"time_limit must be None or positive, got {time_limit!r}.")
        X, words = self._columns(X, y, sample_weight)
        problem = StatedProblem.of(self, X, y, sample_weight)
        deadline = Deadline(time_limit, stopped)
        bound, how = problem.bound(self, deadline)
        found, other = (None, "") if network is None else problem.objective(self, network)
        low, objective = (-math.inf, float(self.objective)) if found is None else found
        objective, reason = math.nan if other else objective, ""
        if fingerprint:
            is_same = self.fingerprint == fingerprint_of(X, y, sample_weight)
            reason = _ALTERED if self.digest != self._digest() else "" if is_same else _CHANGED
            if not is_same and found is None:
                # That of the certificate is one on its own data, and says nothing of a gap here.
                objective = math.nan
        # What is claimed says nothing of how large an error may be.
        known = (bound,) if found is None else (bound, objective)
        size = max((abs(number) for number in known if math.isfinite(number)), default=0.0)
        unproven = self._reason(bound, low, objective, size)
        if deadline.was_missed:
            how = f"{how}, until the time was up"
            unproven = f"{unproven} {_UNFINISHED}" if unproven else ""
        reason = reason or other or unproven
        elapsed = perf_counter() - start
        if self.left_out:
            how = f"{how} (left out of the file, for its size: {self.left_out})"
        return Verification(
            not reason, reason, bound, float(self.dual_bound), objective, found is not None, how,
            elapsed, float(self.beta), self._loss_in_words, self.model,
            (*problem.model.words, *words), bool(self.intercept),
        )  # fmt: skip

    def _columns(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None
    ) -> tuple[ArrayLike, tuple[str, ...]]:
        """X as the networks of the statement read it, and what was appended, in words.

        It is a choice of the data that the bound is about, by their fingerprint; of data that have
        another one by whether the last column is one of ones.
        """
        data = floats(X, "X")
        if not self.has_ones or data.ndim != 2:
            return X, ()
        wider = np.column_stack([data, np.ones(len(data))])
        is_as_given = self.fingerprint == fingerprint_of(data, y, sample_weight)
        is_known = is_as_given or self.fingerprint == fingerprint_of(wider, y, sample_weight)
        if is_as_given or (not is_known and bool((data[:, -1] == 1.0).all())):
            return X, ()
        return wider, ("a column of ones appended to X",)

    @property
    def _loss_in_words(self) -> str:
        numbers = [f"{name}={value:g}" for name, value in self.loss.items() if name != "name"]
        return str(self.loss["name"]) + (f"({', '.join(numbers)})" if numbers else "")

    def recorded(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> BoundCertificate:
        """The certificate with the splits of a tree, where its check takes one.

        They save later checks the search for them: about half of their time.

        Raises
        ------
        InputError
            As :meth:`verify`.
        """
        if self.evidence is not None:
            return self
        X, _ = self._columns(X, y, sample_weight)
        problem = StatedProblem.of(self, X, y, sample_weight)
        with np.errstate(all="ignore"):
            evidence = problem.model.recorded(problem.data, self.balanced(), float(self.level))
        new = replace(self, evidence=evidence).sealed()
        return new if evidence is not None and len(new.to_bytes()) <= LARGEST_FILE else self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, an ``.npz``, complete or not at all; OSError if that fails.

        Evidence that makes it larger than 50 MB is left out; then a check searches a tree again,
        and has only a spectral bound in the place of multipliers: `left_out` of the certificate
        that is read again, and `how` of its report, say so.
        """
        if not os.fspath(path).lower().endswith(".npz"):
            raise InputError(f"path must end in .npz, got {os.fspath(path)!r}.")
        with atomic_write(path) as file:
            file.write(self.to_bytes())

    def to_bytes(self) -> bytes:
        """What :meth:`save` writes; evidence that makes it larger than 50 MB is left out."""
        header = json.dumps({**self._words(), "digest": self.digest})
        content = with_seal(npz_bytes(self._all_arrays(), header))
        if len(content) > LARGEST_FILE and self.evidence is not None:
            words = self.evidence.words
            return replace(self, evidence=None, left_out=words).sealed().to_bytes()
        return content

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "The certificate") -> BoundCertificate:
        """The way back; ModelFileError if it is damaged, or none."""
        try:
            arrays, words = read_npz(without_seal(content))
            if words.get("format") != f"cvxnn-certificate-{FORMAT}":
                raise ValueError("another format")
            return cls._read(arrays, words)
        except DAMAGE as error:
            raise ModelFileError(
                f"{name} is damaged, or no certificate that cvxnn wrote."
            ) from error

    @classmethod
    def _read(cls, arrays: dict[str, Array], words: dict[str, Any]) -> BoundCertificate:
        v, evidence = arrays.pop("v"), None
        if words["evidence"] is not None:
            kind, numbers = words["evidence"]["kind"], words["evidence"]["numbers"]
            names = [name for name in arrays if name.startswith("evidence.")]
            own = {name.removeprefix("evidence."): arrays.pop(name) for name in names}
            evidence = EVIDENCE[kind].read(own, numbers)
        is_dual = v.ndim == 1 or (v.ndim == 2 and v.shape[1] > 1)
        if not (is_dual and v.dtype == np.float64 and len(v) > 0):
            raise ValueError("a dual point that is none")
        texts = {name: str(words[name]) for name in ("model", "kind", "fingerprint", "digest")}
        beta, level, dual_bound, objective = (
            float(words[name]) for name in ("beta", "level", "dual_bound", "objective")
        )
        return cls(
            texts["model"], dict(words["settings"]), arrays, dict(words["loss"]), beta,
            bool(words["intercept"]), v, level, dual_bound, objective, texts["kind"], evidence,
            texts["fingerprint"], texts["digest"], str(words.get("left_out", "")),
            bool(words.get("has_ones", False)),
        )  # fmt: skip

    def _words(self) -> dict[str, Any]:
        evidence = self.evidence
        return {
            "format": f"cvxnn-certificate-{FORMAT}",
            **{name: getattr(self, name) for name in ("model", "kind", "fingerprint")},
            **{
                name: float(getattr(self, name))
                for name in ("beta", "level", "dual_bound", "objective")
            },
            "settings": dict(self.settings),
            "loss": dict(self.loss),
            "left_out": self.left_out,
            "intercept": bool(self.intercept),
            # Files of certificates without it keep their digest.
            **({"has_ones": True} if self.has_ones else {}),
            "evidence": None
            if evidence is None
            else {"kind": evidence.kind, "numbers": evidence.numbers},
        }

    def _all_arrays(self) -> dict[str, Array]:
        own = {} if self.evidence is None else self.evidence.arrays
        return {"v": self.v, **self.arrays, **{f"evidence.{name}": a for name, a in own.items()}}

    def _digest(self) -> str:
        found = hashlib.sha256(json.dumps(self._words(), sort_keys=True).encode())
        for name, array in sorted(self._all_arrays().items()):
            found.update(json.dumps([name, array.dtype.str, array.shape]).encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def _reason(self, bound: float, low: float, objective: float, size: float) -> str:
        """Why what is claimed was not confirmed, for a network of an objective from `low` on.

        The slack for rounding is a share of the `size` of numbers that were recomputed.
        """
        claims = (float(self.dual_bound), float(self.objective), float(self.level))
        if any(map(math.isnan, claims)) or claims[0] == math.inf:
            return "The certificate claims what is no number."
        share = _SLACK if self.evidence is None else self.evidence.slack
        slack = share * size
        if claims[0] > bound + slack:
            return (
                f"The certificate claims a bound of {claims[0]:.9g}, and proves {bound:.9g} only."
            )
        if low > claims[1] + slack:
            return (
                f"The certificate claims an objective of {claims[1]:.9g}, and the network has "
                f"{low:.9g} at least."
            )
        if objective < bound - slack:
            return (
                f"The objective {objective:.9g} is below the bound {bound:.9g}: one of them is of "
                "another problem."
            )
        return ""

    def balanced(self) -> FloatArray:
        """The dual point; beside an intercept with sums 0 exactly, or 0; so rows for softmax."""
        v = np.asarray(self.v, dtype=np.float64)
        is_projected = self.model == "relu" and self.settings.get("skip") == "free"
        joins = v.ndim == 2 and self.loss.get("name") == SoftmaxDual.name
        is_free = (is_projected or not self.intercept) and not joins
        if is_free or not np.isfinite(v).all():
            return v
        if v.ndim == 1:
            return with_sum_zero(v)
        return with_sums_zero(v, rows=joins, columns=self.intercept)

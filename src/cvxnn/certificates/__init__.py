"""Lower bounds and gaps: computed here from proofs, never by a solver."""

from cvxnn.certificates.proofs import DualProof, dual_bound, spectral_proof
from cvxnn.certificates.provers import Prover

__all__ = ["DualProof", "Prover", "dual_bound", "spectral_proof"]

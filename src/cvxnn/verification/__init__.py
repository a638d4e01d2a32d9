"""Lower bounds recomputed from a certificate and the data: numpy, and formulas of its own.

Nothing here is shared with what searches, prices, relaxes or certifies: a fault there is no
fault here. Whatever a certificate says, the bound of a check is a theorem about the data.
"""

from cvxnn.verification.certificate import BoundCertificate
from cvxnn.verification.report import Verification

__all__ = ["BoundCertificate", "Verification"]

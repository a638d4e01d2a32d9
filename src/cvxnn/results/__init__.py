"""What a training run returns: status, certificate, history and solution."""

from cvxnn.results.network_certificate import ImprovingNeuron, NetworkCertificate, Verdict
from cvxnn.results.solution import Certificate, Progress, Solution
from cvxnn.results.status import Status, checked_status, described, relative_gap

__all__ = [
    "Certificate",
    "ImprovingNeuron",
    "NetworkCertificate",
    "Progress",
    "Solution",
    "Status",
    "Verdict",
    "checked_status",
    "described",
    "relative_gap",
]

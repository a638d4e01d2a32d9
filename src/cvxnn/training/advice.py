"""What would narrow the gap of a run, in sentences."""

from __future__ import annotations

from cvxnn.methods import Method
from cvxnn.models.base import Model
from cvxnn.results import Status
from cvxnn.training.circumstances import Circumstances
from cvxnn.training.outlook import Outlook

# What gives a search more, where it was cut short.
_MORE = {Status.TIME_LIMIT: "time_limit", Status.ITERATION_LIMIT: "max_iter"}


def advice(
    status: Status,
    method: Method,
    model: Model,
    outlook: Outlook | None,
    *,
    limited: bool,
    circumstances: Circumstances | None = None,
) -> str:
    """What would narrow the gap; "" where the status says it all.

    Parameters
    ----------
    status : Status
        How the run ended.
    method, model
        Of the run.
    outlook : Outlook or None
        On more time for the proof, where there is something to be told.
    limited : bool
        Whether a time limit was over.
    circumstances : Circumstances or None
        What keeps a wide gap wide, whatever the time.

    Examples
    --------
    >>> from cvxnn import Global, ReLU
    >>> advice(Status.STATIONARY, Global(certify=False), ReLU(), None, limited=False)
    'A proof takes method=Global(certify=True).'
    """
    clauses = circumstances.clauses if circumstances is not None else ""
    if status is Status.STATIONARY:
        said = _on_proof(method, model.proof_advice, outlook, limited, ends=_ends(circumstances))
    elif status not in _MORE:
        return ""
    else:
        said = _on_limit(_MORE[status], outlook, circumstances if clauses else None)
    if not said:
        return ""
    if clauses:
        what = "What makes it slow" if _ends(circumstances) else "What keeps it wide"
        said = f"{said.rstrip('.')}. {what}: {clauses}"
    return f"{said[:1].upper()}{said[1:].rstrip('.')}."


def _ends(circumstances: Circumstances | None) -> bool:
    """Whether an exact proof ends, given time."""
    return circumstances is not None and circumstances.ends


def _on_limit(more: str, outlook: Outlook | None, circumstances: Circumstances | None) -> str:
    """What to change where a limit has ended the search; "" where that is the limit alone."""
    is_told = outlook is not None and (
        outlook.is_known
        or outlook.cut_short is not None
        or outlook.least is not None
        or more != outlook.parameter
    )
    if outlook is not None and is_told:
        return f"raise {more} for a better network; {outlook.sentence('the gap of this network')}"
    if circumstances is None:
        return ""
    if _ends(circumstances):
        return f"raise {more}, with which a proof may end"
    return f"raise {more} for a better network, though that alone hardly narrows the gap"


def _on_proof(
    method: Method, fewer: str, outlook: Outlook | None, limited: bool, *, ends: bool
) -> str:
    """What to change where the search could not prove its end."""
    if not method.polish:
        return "a proof takes method=Global(polish=True)"
    if not method.certify:
        return "a proof takes method=Global(certify=True)"
    if ends:
        more = "a larger time_limit" if limited else "more time, such as time_limit=60"
        return f"an exact proof may end with {more}"
    if outlook is None:
        time = "a larger time_limit, " if limited else ""
        return f"{time}a larger beta or {fewer} narrow the gap"
    too = ", too" if outlook.helps else ""
    return f"{outlook.sentence('the gap')} A larger beta or {fewer} narrow it{too}"

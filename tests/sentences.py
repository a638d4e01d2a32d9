"""Refusals: one sentence each."""

import pytest

from cvxnn.errors import InputError


def refused(call, says, error=InputError):
    """The call raises the error with one sentence that matches `says`; the sentence."""
    with pytest.raises(error, match=says) as caught:
        call()
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith("."), sentence
    return sentence

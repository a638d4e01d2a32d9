"""What can go wrong in the study, besides a wrong argument."""

from __future__ import annotations


class DataUnavailable(RuntimeError):  # noqa: N818 - not an error of the study: it is skipped
    """The data of an experiment are not here and cannot be fetched; the message says why."""


class StudyError(RuntimeError):
    """A result contradicts a certified bound: the study must not be believed."""

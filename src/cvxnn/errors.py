"""The exceptions of cvxnn: each is also the built-in error a caller would expect."""


class InputError(ValueError):
    """An argument is not what the function accepts; the message names it."""


class TooManyPatternsError(InputError):
    """The arrangement of the data has more patterns than may be enumerated."""


class ModelFileError(ValueError):
    """A model file is damaged, or was not written by cvxnn."""

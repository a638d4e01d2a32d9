"""Colours, line styles and markers, and the axes and legends of all figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from typing import TYPE_CHECKING, Any

from cvxnn.errors import import_optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design", 2008.
BLACK, ORANGE, SKY, YELLOW = "#000000", "#E69F00", "#56B4E9", "#F0E442"
GREEN, BLUE, VERMILLION, PURPLE = "#009E73", "#0072B2", "#D55E00", "#CC79A7"


@dataclass(frozen=True)
class Style:
    """How a method looks in every figure.

    Attributes
    ----------
    label : str
        Its name in legends.
    color : str
        Hexadecimal.
    linestyle : str or tuple
    marker : str
        As Matplotlib names them.
    linewidth : float
        In points.

    Examples
    --------
    >>> style = Style("ours", "#0072B2", "-", "o", 2.0)
    >>> style.line
    {'color': '#0072B2', 'linestyle': '-', 'linewidth': 2.0}
    """

    label: str
    color: str
    linestyle: Any
    marker: str
    linewidth: float = 1.0

    @property
    def line(self) -> dict[str, Any]:
        """Colour, line style and width, as Matplotlib calls them."""
        names = ("color", "linestyle", "linewidth")
        return {name: getattr(self, name) for name in names}


STYLES: dict[str, Style] = {
    "optimal": Style("optimal", BLUE, "-", "o", 2.2),
    "sampled": Style("sampled", ORANGE, "--", "s", 2.2),
    "global": Style("global", GREEN, (0, (5, 1, 1, 1)), "X", 2.2),
    "incremental": Style("incremental", PURPLE, (0, (1, 1)), "p", 1.6),
    "frank_wolfe": Style("Frank-Wolfe", SKY, (0, (8, 2)), "d", 1.6),
    "sgd": Style("SGD", VERMILLION, "-", "v"),
    "adam": Style("Adam", SKY, (0, (4, 1.5)), "D"),
    "lbfgs": Style("L-BFGS", BLACK, "-.", "P"),
    "bound": Style("lower bound", BLACK, ":", "^", 1.4),
}
"""One style for each method; keys are methods, optimisers, and ``"bound"``."""

# Where several runs share a method, all but the first take these in turn.
_VARIANTS = ((BLACK, "--", "X"), (SKY, "-", "D"), (PURPLE, "-.", "P"), (GREEN, (0, (1, 1)), "*"))


def styles_of(runs: Iterable[tuple[str, str]]) -> Iterator[Style]:
    """A style for each pair (label, method), all different as long as there are enough."""
    variants, seen = cycle(_VARIANTS), set()
    for label, method in runs:
        style = replace(STYLES[method], label=label)
        if method in seen:
            color, linestyle, marker = next(variants)
            style = replace(style, color=color, linestyle=linestyle, marker=marker)
        seen.add(method)
        yield style


def get_axes(ax: Axes | None) -> Axes:
    """The axes, or those of a new figure that is not registered anywhere.

    Raises
    ------
    InputError
        If Matplotlib is not installed.
    """
    return new_figure((6.0, 4.0)).add_subplot() if ax is None else ax


def new_figure(size: tuple[float, float]) -> Figure:
    """A figure of a width and height in inches that is not registered anywhere.

    Raises
    ------
    InputError
        If Matplotlib is not installed.
    """
    module = import_optional(
        "matplotlib.figure", "Figures need Matplotlib; install it with: pip install 'cvxnn[plot]'."
    )
    return module.Figure(figsize=size, layout="constrained")


def legend_above(ax: Axes, columns: int = 3) -> None:
    """The legend above the axes, where it covers no data."""
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=min(columns, len(handles)),
            frameon=False,
            fontsize="small",
            borderaxespad=0.2,
        )

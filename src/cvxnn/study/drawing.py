"""Drawing figures into files that are the same in every run."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvxnn.plotting.styles import legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (5.2, 4.2)


@dataclass(frozen=True)
class StudyFigure:
    """A figure, drawn.

    Attributes
    ----------
    name : str
        Of its files, without a suffix.
    caption : str
        What is shown.
    alt : str
        What it shows, for readers who do not see it.
    png, svg : bytes
        The files.

    Examples
    --------
    >>> figure = StudyFigure("line", "A line", "A line that rises", b"png", b"<svg/>")
    >>> figure.name, figure.svg
    ('line', b'<svg/>')
    """

    name: str
    caption: str
    alt: str
    png: bytes
    svg: bytes


def finish(ax: Axes, name: str, caption: str, alt: str) -> StudyFigure:
    """The figure of some axes, drawn, with a legend above them.

    Parameters
    ----------
    ax : Axes
        Of a new figure.
    name, caption, alt : str
        See :class:`StudyFigure`.
    """
    from matplotlib import rc_context

    legend_above(ax, columns=2)
    figure, png, svg = ax.get_figure(root=True), io.BytesIO(), io.BytesIO()
    assert figure is not None, "the axes are those of a new figure"
    figure.savefig(png, format="png", dpi=160)
    # Without dates and random identifiers, so that the same figure is the same file.
    with rc_context({"svg.hashsalt": "cvxnn"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return StudyFigure(name, caption, alt, png.getvalue(), svg.getvalue())


def slug(name: str) -> str:
    """A name as part of a file name."""
    return "".join(letter if letter.isalnum() else "-" for letter in name).replace("--", "-")

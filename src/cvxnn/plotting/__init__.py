"""Figures of networks and runs, drawn with Matplotlib.

Each function draws on the axes it is given, or on those of a new figure, and
returns them; ``ax.figure.savefig(path)`` writes the figure. `plot_filters`, which
draws many pictures, takes and returns a figure. Nothing is shown and no state of
``pyplot`` is touched. Colours are those of Okabe and Ito, and what they tell apart
differs in line style, marker or luminance as well; weights of filters are blue below
zero and red above.
"""

from cvxnn.plotting.curves import plot_gap, plot_objective, plot_scores
from cvxnn.plotting.filter_images import plot_filters
from cvxnn.plotting.planes import plot_breakpoints, plot_decision_regions
from cvxnn.plotting.regularization_paths import plot_cv, plot_path
from cvxnn.plotting.styles import STYLES, Style

__all__ = [
    "STYLES",
    "Style",
    "plot_breakpoints",
    "plot_cv",
    "plot_decision_regions",
    "plot_filters",
    "plot_gap",
    "plot_objective",
    "plot_path",
    "plot_scores",
]

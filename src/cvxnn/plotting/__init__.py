"""Figures of networks and runs, drawn with Matplotlib.

Each function draws on the axes it is given, or on those of a new figure, and
returns them; ``ax.figure.savefig(path)`` writes the figure. Of many pictures,
`plot_filters` and `plot_shapes` take and return a figure, `plot_neurons` a list of axes. Nothing is
shown and no state of ``pyplot`` is touched. Colours are those of Okabe and Ito, and what
they tell apart differs in line style, marker or luminance as well; weights of filters are
blue below zero and red above.
"""

from cvxnn.plotting.curves import plot_gap, plot_objective, plot_scores
from cvxnn.plotting.filter_images import plot_filters
from cvxnn.plotting.optima import plot_descent, plot_neurons, plot_predictions
from cvxnn.plotting.planes import plot_breakpoints, plot_decision_regions
from cvxnn.plotting.regularization_paths import plot_cv, plot_path
from cvxnn.plotting.shapes import plot_shapes
from cvxnn.plotting.styles import STYLES, Style

__all__ = [
    "STYLES",
    "Style",
    "plot_breakpoints",
    "plot_cv",
    "plot_decision_regions",
    "plot_descent",
    "plot_filters",
    "plot_gap",
    "plot_neurons",
    "plot_objective",
    "plot_path",
    "plot_predictions",
    "plot_scores",
    "plot_shapes",
]

"""The order of the examples in the gallery: from one network to many rows."""

EXAMPLES = (
    "plot_same_answer.py",
    "plot_certify_mlp.py",
    "plot_quantile_intervals.py",
    "plot_classes.py",
    "plot_shape_functions.py",
    "plot_interactions.py",
    "plot_three_layers.py",
    "plot_optimal_set.py",
    "plot_descent_path.py",
    "plot_devices.py",
)


class Order:
    """The place of a file, as sphinx-gallery asks for it: ``Order(folder)(name)``."""

    def __init__(self, folder: object) -> None:
        del folder

    def __call__(self, name: object) -> int:
        return EXAMPLES.index(str(name))

    def __repr__(self) -> str:
        return "Order"

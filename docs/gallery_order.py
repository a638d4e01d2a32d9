"""The order of the examples in the gallery: from one network to many rows."""

EXAMPLES = (
    "plot_same_answer.py",
    "plot_certify_mlp.py",
    "plot_choosing_beta.py",
    "plot_quantile_intervals.py",
    "plot_classes.py",
    "plot_shape_functions.py",
    "plot_monotone.py",
    "plot_interactions.py",
    "plot_filters.py",
    "plot_three_layers.py",
    "plot_neuron_by_neuron.py",
    "plot_optimal_set.py",
    "plot_descent_path.py",
    "plot_table_to_onnx.py",
    "plot_rows_in_dask.py",
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

"""
From a table with words to ONNX, in one command
===============================================

A table with words in it, the command line, and a file that another program can run without cvxnn or
Python.

The table is made from scikit-learn's wines: how strong is the colour, given what the chemists
measured and the name of the cultivar?
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnx.reference
from sklearn.datasets import load_wine

from cvxnn.cli.table_models import load_table_model

wine = load_wine(as_frame=True)
table = wine.data[["alcohol", "malic_acid", "ash", "flavanoids", "hue", "color_intensity"]]
cultivars = np.array(["Barolo", "Grignolino", "Barbera"])
table = table.assign(cultivar=cultivars[wine.target])
folder = Path(tempfile.mkdtemp())
table.to_csv(folder / "wines.csv", index=False)
print(table.head(3).to_string(index=False))

# %%
# ``cvxnn fit`` reads the table, finds out what its columns are, trains a network, here a sum of
# functions of one column each, and writes it to a file. Without ``--beta`` cross-validation chooses
# that, which takes longer. These are the same words in a shell.

command = (
    "fit wines.csv --target color_intensity --features 1 --beta 1 --time-limit 300 "
    "--holdout 0.25 --out wines.skops"
)
run = subprocess.run(
    [sys.executable, "-m", "cvxnn", *command.split()],
    cwd=folder, capture_output=True, text=True, check=True,
)  # fmt: skip
print(run.stdout)

# %%
# The model is an encoder of the columns and a fitted estimator. ONNX takes numbers, so words are
# encoded before: a column of 0 and 1 for each cultivar.

model = load_table_model(folder / "wines.skops")
encoder, estimator = model.pipeline[0], model.estimator
rows = np.asarray(encoder.transform(table[[column.name for column in model.used]]))
file = folder / "wines.onnx"
file.write_bytes(estimator.to_onnx().SerializeToString())
print("columns of the network:", *encoder.get_feature_names_out())
print("bytes of the file:", file.stat().st_size)

# %%
# The file is run by the reference implementation of ONNX here; ``onnxruntime`` and others run it
# likewise.

session = onnx.reference.ReferenceEvaluator(str(file))
[values] = session.run(None, {"X": rows})
predicted = estimator.predict(rows)
print(f"largest difference to predict: {np.abs(values[:, 0] - predicted).max():.0e}")

figure, ax = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
colors = {"Barolo": "#0072b2", "Grignolino": "#e69f00", "Barbera": "#009e73"}
for (cultivar, color), marker in zip(colors.items(), "os^", strict=True):
    chosen = (table["cultivar"] == cultivar).to_numpy()
    ax.plot(
        table["color_intensity"][chosen], values[chosen, 0], marker,
        color=color, markersize=5, label=cultivar,
    )  # fmt: skip
ends = [table["color_intensity"].min(), table["color_intensity"].max()]
ax.plot(ends, ends, color="0.5", linestyle="--", linewidth=1.0)
ax.set(
    xlabel="intensity of the colour", ylabel="as the file predicts it",
    title="The network in the file, without cvxnn",
)  # fmt: skip
ax.legend()

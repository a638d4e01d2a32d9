"""Networks that are linear in their rows: a gauge of the coefficients in place of cells."""

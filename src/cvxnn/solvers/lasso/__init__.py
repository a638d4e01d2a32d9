"""The non-negative Lasso on the weights of given neurons."""

"""Three layers on one feature with free biases: piecewise linear functions with few knots."""

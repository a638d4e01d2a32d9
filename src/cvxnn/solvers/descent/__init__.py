"""Descent on objective (2) itself, in the weights of many neurons at once."""

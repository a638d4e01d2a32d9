"""What datasets, objective and solvers of this benchmark share."""

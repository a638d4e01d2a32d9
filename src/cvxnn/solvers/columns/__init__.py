"""Programs on a working set of blocks: column generation, interior point, group lasso."""

"""An output intercept without a penalty beside the neurons."""

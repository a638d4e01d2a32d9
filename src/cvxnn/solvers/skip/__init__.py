"""Linear skip connections beside the neurons."""

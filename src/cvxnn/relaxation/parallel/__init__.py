"""The relaxation inside the bound on sub-networks of three layers."""

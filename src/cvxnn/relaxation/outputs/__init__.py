"""Bounds at any rank for several outputs."""

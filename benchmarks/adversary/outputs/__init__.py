"""Instances of two and three outputs, their exact objectives, and a search of their own."""

"""Terminals inside running notebooks' networks."""

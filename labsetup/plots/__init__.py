"""Plots: one look in light and dark, and those that move."""

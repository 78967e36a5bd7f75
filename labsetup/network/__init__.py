"""Hosts and the wires between them, in a network that only this process and its children see."""

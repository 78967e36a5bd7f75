"""Installs what the lab needs, before there is an environment for the rest of it.

labsetup/lab runs this as a package of its own, with whatever Python of 3.11 or newer the machine
has: so it takes the standard library alone, and nothing from other rooms.
"""

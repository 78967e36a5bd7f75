"""What the tests have in common: the host around them, kernels, models in Python, pictures."""

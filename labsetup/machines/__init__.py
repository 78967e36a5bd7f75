"""Stock kernels of the distribution, booted in a virtual machine to try the lab on them."""

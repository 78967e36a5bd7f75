"""BPF maps: what kinds there are, how much room they take, and their entries as Python has them."""

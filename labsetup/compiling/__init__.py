"""C made into programs that the kernel has accepted: BCC's C in its way, libbpf's in the other."""

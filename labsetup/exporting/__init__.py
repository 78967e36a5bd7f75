"""Programs of the lab taken out of it: libbpf's C, which clang alone builds, and what loads it."""

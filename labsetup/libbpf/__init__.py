"""The calls to libbpf and libbcc that BCC's own Python does not make."""

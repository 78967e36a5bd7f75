"""A stranger's Python answer, and the process without power in which it runs."""

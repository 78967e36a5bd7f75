"""A class's answers: which files are answers, what is said of each, and the table of it."""

"""The course as web pages: what they are made of, and what Sphinx does to it besides."""

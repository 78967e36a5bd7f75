"""A class over one server: what JupyterHub is told of readers, and the teacher's page.

JupyterHub runs in a container of its own, from `jupyterhub_config.py`; README.md says how it is
started.  Modules here import JupyterHub and docker's library only inside functions: the lab itself
needs neither.
"""

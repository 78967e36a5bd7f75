"""What JupyterLab offers at the cursor: names to go on with, and what a name means."""

"""From C to a verdict: found, built, loaded, attached, run; and its maps."""

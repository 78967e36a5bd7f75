"""The reader answers: exercises, their checks, hints, predictions, progress, the museum."""

"""What one would use instead, and what each way costs."""

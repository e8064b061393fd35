"""The same work on other platforms, side by side with AO."""

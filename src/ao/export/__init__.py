"""Files with which other systems run AO."""

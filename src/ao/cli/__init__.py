"""The `ao` command."""

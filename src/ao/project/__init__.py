"""A project directory: its `ao.toml`, what of it is packed, and how."""

"""How fast AO is on this machine, next to what the machine can do. Never part of the test run."""

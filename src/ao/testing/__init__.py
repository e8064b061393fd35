"""Contract suites, fakes and a manual clock, for AO's own tests and for authors of adapters."""

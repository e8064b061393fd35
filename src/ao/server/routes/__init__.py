"""One module per aggregate; each class holds the handlers of its routes."""

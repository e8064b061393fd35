"""One module per section; each class holds the handlers of its pages and actions."""

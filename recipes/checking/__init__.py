"""Labels that are likely wrong, and pictures that are odd among their kind."""

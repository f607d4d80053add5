"""Questions of a textbook, answered by measurement."""

"""One-shot search with a weight-sharing supernet: its plan, its epochs, its monitor."""

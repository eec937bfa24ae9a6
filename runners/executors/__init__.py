"""Where trials are run: a file a place; may import `cluster`, `plan`, `trials`."""

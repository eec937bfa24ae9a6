"""Where trials are run: one file a place, each handed jobs and giving records; may import `trials`."""

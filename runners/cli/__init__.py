"""What people type: one file a command, and the live tables; may import every other room."""

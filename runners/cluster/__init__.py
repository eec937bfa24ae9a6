"""A cluster: its nodes, and what travels to them and back; may import `plan`, `trials`."""

"""Training in a random subspace of all weights; may import `core`, `anatomy`."""

"""Numbers about numbers, and the sentences that they allow; may import `records`."""

"""Text that a model writes: its tokens, batches, likelihood and decoding; may import no other room."""

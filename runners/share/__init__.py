"""What others may take of a result, and what is asked of theirs; may import `plan`."""

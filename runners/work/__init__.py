"""A study is done: what is missing, its searches, its records; may import `measure`, `plan`, `trials`."""

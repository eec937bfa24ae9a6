"""What something costs: time, memory, FLOPs, serving; may import `plan`."""

"""What methods put into a model, one file a method: modules of torch; may import `anatomy`, `core`."""

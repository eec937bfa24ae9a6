"""One trial: loaded, adapted, trained, scored, its costs measured; may import `measure`, `plan`."""

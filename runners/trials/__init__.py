"""One trial: loaded, adapted, trained, scored, costs measured; may import `measure`, `plan`, `writing`."""

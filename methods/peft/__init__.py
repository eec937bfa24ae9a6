"""Folders of the PEFT library, written and read without it; may import `core`, `anatomy`."""

"""Metrics of text that is written, as functions of plain strings; may import no other room."""

"""What it costs to serve many tasks of one method from one base; may import `measure`, `plan`."""

"""Results as CSV, JSON, LaTeX, Markdown and Parquet; may import `claims`, `stats`, `records`."""

"""The pages, one file for each kind; may import `site.parts`, `tables`, `claims`, `stats`, `records`."""

"""What pages are made of: board, HTML, links, figures; may import `tables`, `claims`, `stats`, `records`."""

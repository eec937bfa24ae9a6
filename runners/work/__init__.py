"""A study is done: its trials and searches; may import `executors`, `measure`, `measure.serving`, `plan`,
`trials`, `writing`."""

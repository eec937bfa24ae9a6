"""A study is done: its trials and searches; may import `executors`, `measure`, `plan`, `trials`,
`writing`."""

"""A study is done: searched, run trial by trial, trained; may import `measure`, `plan`."""

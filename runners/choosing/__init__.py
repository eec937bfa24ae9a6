"""Which method to pick for a model: limits, what is predicted, what is known; may import `measure`, `plan`."""

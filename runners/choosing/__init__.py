"""Which method to pick for a model: limits, predicted costs, known scores; may import `measure`, `plan`."""

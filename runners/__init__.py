"""Doing the work: trials, studies, measurement, the command line."""

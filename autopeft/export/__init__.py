"""A trial of a study, written for a target."""

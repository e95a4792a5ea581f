"""Methods to compare with, each a function from a task and a seed to what it learned."""

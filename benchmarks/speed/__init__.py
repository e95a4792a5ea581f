"""What throughput.py measures, a file a question, and the page that tells of it."""

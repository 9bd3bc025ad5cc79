"""How work is executed: jobs and their hashes, chunks, executors, resume, progress."""

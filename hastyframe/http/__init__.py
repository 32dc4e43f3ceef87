"""What `hastyframe.transport` is made of: the key, connections, answers, what went wrong, pages, threads."""

"""Code that all rooms share: errors, the context of a call, ids, text and time. No I/O."""

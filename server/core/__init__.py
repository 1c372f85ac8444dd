"""What every room shares: errors, the context of a call, ids, text and time. No I/O."""

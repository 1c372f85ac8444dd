"""The services of the contract. Each method converts, runs one use case, and converts back."""

"""`python -m server`: see `python -m server --help`."""

from server.cli.main import main

if __name__ == "__main__":
    main()

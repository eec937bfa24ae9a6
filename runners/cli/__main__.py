"""``python -m runners.cli``: the command from a checkout; ``python -m paretune`` is the one for users."""

from runners.cli.app import main

if __name__ == "__main__":
    main()

"""``python -m runners.cli``, which ``accelerate launch -m`` wants."""

from runners.cli.app import main

if __name__ == "__main__":
    main()

"""`python -m howdah` is the program `howdah`."""

from howdah.cli.app import main

if __name__ == "__main__":
    main()

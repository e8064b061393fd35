"""`python -m ao.cli`: the `ao` command of this interpreter, wherever it is installed."""

from ao.cli.start import main

if __name__ == "__main__":
    main()

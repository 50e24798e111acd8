"""`python -m postroad_region`."""

from postroad_region.cli import main

if __name__ == "__main__":
    main()

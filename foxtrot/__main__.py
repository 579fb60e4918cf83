"""`python -m foxtrot` is the program `foxtrot`, where its script is not on the path."""

from foxtrot.app.cli import main

if __name__ == "__main__":
    main()

"""`python -m foxtrot` is the program `foxtrot`, where its script is not on the path."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the directory that it is started in: what lies there is nobody's library
    from foxtrot.app.cli import main

    main()

"""What the app runs: `steno dictate`, as on a command line."""

import sys

from client.cli.main import main

sys.argv[1:] = ["dictate"]
main()

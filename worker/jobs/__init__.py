"""File jobs: RQ's worker (`__main__`), what it runs for a file (`file_job`), and the parts of that: windows
from audio (`cutter`, `splitter`), and a transcript from windows (`transcriber`). No speech model runs here;
the device workers decode."""

PARENT_PID = "STENO_JOBS_PARENT_PID"
"""Environment variable in which the RQ worker tells its children who their parent is: a child that asked the
system could be answered after the parent's death."""

"""File jobs: RQ's worker (`__main__`), what it runs for a file (`file_job`), and the parts of that: windows
from audio (`cutter`, `splitter`), and a transcript from windows (`transcriber`). No speech model runs here;
the device workers decode."""

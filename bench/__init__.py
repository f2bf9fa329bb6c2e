"""The benchmarks of this repository: `python -m bench --help`."""

"""The log on disk that 250 promises: segments, group commit, recovery, compaction."""

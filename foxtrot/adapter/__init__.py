"""One room per venue, with the same files in each."""

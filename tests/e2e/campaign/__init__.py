"""Operations of the region that the daemon is killed in, by what they change, each with what must be true after it."""

"""What keeps one caller's request from another's: work in turns, sizes known before anything is built."""

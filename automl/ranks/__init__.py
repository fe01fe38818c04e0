"""One training by several processes: sums over ranks, shares of a batch, batch norm over all of it."""

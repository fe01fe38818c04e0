"""Zero-cost proxies: scores of untrained networks that cost a batch or less, one file each."""

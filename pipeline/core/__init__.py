"""The words that every room uses: errors, deliveries, records, times, the log. Imports nothing of ours."""

"""Campaigns from elsewhere: stop, pause and resume them, delete them, and clear away what they left."""

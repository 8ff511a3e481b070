"""Billing sources: files that are uploaded and calls of the API become customers and what they pay."""

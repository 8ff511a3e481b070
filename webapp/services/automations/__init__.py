"""Automations: rules that merge customers of Segment with matching customers of the billing system."""

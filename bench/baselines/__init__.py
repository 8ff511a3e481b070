"""What Tributary is measured against: the limit of the machine, and what people would build otherwise."""

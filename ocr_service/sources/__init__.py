"""Documents by address: a URL, or an object in the bucket of the service."""

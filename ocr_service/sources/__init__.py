"""Documents given by an address: on the web or in the service's bucket."""
